#pragma once
/// An attempt as a trainer knows it.

#include <compare>

#include "searchspaces/ids.hpp"

namespace betatune {

struct WorkKey {
  TrialId trial;
  AttemptId attempt;
  auto operator<=>(const WorkKey&) const = default;
};

}  // namespace betatune
