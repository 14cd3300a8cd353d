#pragma once
/// An explanation in words, and as "betatune.explain/1".

#include <string>

#include "optimizer/cli/output.hpp"
#include "optimizer/explain.hpp"

namespace betatune {

std::string explanation_text(const Explanation& it, const std::string& study,
                             const Objective& objective);
Json explanation_json(const Explanation& it, const std::string& study, const Objective& objective);

}  // namespace betatune
