#pragma once
/// How fast a study gets on and how long it still takes, from what one process has watched.

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "optimizer/study_state.hpp"

namespace betatune {

/// Trials that wait for nothing but the others: closed or paused. Under a scheduler that compares
/// trials most of them are paused, and closed only when the study ends.
std::int64_t settled_count(const StudyState& state);

class Pace {
 public:
  using Clock = std::chrono::steady_clock;

  void note(Clock::time_point now, std::int64_t settled);

  /// How many more trials are settled than before, per second of the time looked at. A trial that
  /// is promoted runs again and is not settled meanwhile: what promotions cost is in the rate.
  /// Nothing while that cannot be told.
  std::optional<double> trials_per_second(Clock::time_point now) const;
  /// Until `total` trials are settled.
  std::optional<double> seconds_left(Clock::time_point now, std::int64_t total) const;

 private:
  struct Sample {
    Clock::time_point at;
    std::int64_t settled = 0;
  };
  std::deque<Sample> samples_;  ///< one per change
};

}  // namespace betatune
