#pragma once
/// Options that `gp` and `auto` have in common.

#include <tuple>

#include "configs/node.hpp"
#include "searchspaces/schema.hpp"

namespace betatune {

struct GpOptions {
  int raw_points = 1024;
  int starts = 8;
  int effort = 1;
  static constexpr auto fields() {
    return std::tuple{
        defaulted(
            "raw_points", &GpOptions::raw_points,
            "Points at which the acquisition function is compared before the best are improved."),
        defaulted("starts", &GpOptions::starts,
                  "How many of them are improved along the gradient."),
        defaulted("effort", &GpOptions::effort,
                  "How much longer a suggestion may take: so many models are drawn, and what they "
                  "promise is averaged.")};
  }
  /// Reports what is out of range.
  bool check(const ConfigNode& node, Diagnostics& problems) const;
};

}  // namespace betatune
