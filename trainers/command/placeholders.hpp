#pragma once
/// "--lr={lr}" -> "--lr=0.001".

#include <map>
#include <string>
#include <vector>

#include "searchspaces/value.hpp"

namespace betatune {

using Placeholders = std::map<std::string, std::string>;

/// Replaces {name} by its value; `{{` and `}}` are braces. Braces round anything that is not a name
/// (letters, digits, `_`, `.`, `-`) stay as they are, so that JSON can be written in an argument.
///
/// An argument that names a parameter which is not active in this configuration is left out as a
/// whole: "--momentum={momentum}" is there only where momentum is.
std::vector<std::string> fill_placeholders(const std::vector<std::string>& command,
                                           const Placeholders& values);

/// BETATUNE_PARAM_<NAME>: upper case, everything but letters and digits as `_`.
std::string parameter_variable(const std::string& parameter);

}  // namespace betatune
