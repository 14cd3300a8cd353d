#pragma once
/// A study that nobody ran, to be played on a virtual clock (what_if.hpp): learning curves and
/// times drawn from a seed, for questions about schedules rather than about trainings.

#include <cstdint>

#include "optimizer/what_if.hpp"

namespace betatune {

struct MadeUpStudy {
  std::uint64_t seed = 0;
  int trials = 81;
  Step steps = 27;  ///< of a full training
};

/// Trial i ends in a loss u, uniform in [0, 1), and has u + 1/2 exp(n/4) / (s + 1) after s steps; a
/// step takes 60 exp(m/4) seconds with one rank (n, m: normal). Every curve goes to its end.
/// Errors: invalid_argument if there are no trials or no steps.
Result<RecordedStudy> made_up_study(const MadeUpStudy& wanted);

}  // namespace betatune
