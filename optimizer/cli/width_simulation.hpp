#pragma once
/// `betatune simulate --widths 1,2,4,8`: when it pays to let the ranks of trials change.

#include <cstdint>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"

namespace betatune {

struct WidthSimulationOptions {
  std::vector<int> widths;
  int slots = 1;
  double serial = 0.05, exchange = 0;  ///< of the scaling, see scaling_fit.hpp
  std::string study;                   ///< a recorded one; empty: made-up ones
  std::string scheduler;               ///< empty: that of the study, or asha
  std::uint64_t studies = 100, first = 0;
  int trials = 81;
  Step steps = 27;
  bool json = false;
};

/// Prints a row for each fixed width and one for the policy; returns the exit code.
int simulate_widths(const WidthSimulationOptions& options);

}  // namespace betatune
