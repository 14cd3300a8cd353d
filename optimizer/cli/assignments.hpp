#pragma once
/// NAME=VALUE on the command line: values of parameters.

#include <string>
#include <vector>

#include "searchspaces/space.hpp"

namespace betatune {

/// Sets what `texts`, each a NAME=VALUE of the command's `option` ("-p"), say. A value is read as
/// the parameter's choice of that text, else as a number, true or false, else as a word; whether
/// the space has it is for SearchSpace::complete to say.
/// errors invalid_argument: a text that is no NAME=VALUE
Status assign(const SearchSpace& space, const char* option, const std::vector<std::string>& texts,
              Configuration& configuration);

}  // namespace betatune
