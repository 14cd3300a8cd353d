#pragma once
/// How long a launcher waits before it starts a trainer again.

#include <algorithm>
#include <chrono>
#include <utility>

namespace betatune {

/// Grows while a trainer dies at once, so that one that cannot start does not keep the machine
/// busy; stays short for one that works and is killed again and again.
class RestartDelay {
 public:
  using Time = std::chrono::milliseconds;

  /// The wait after a life of this length.
  Time after(Time lifetime) {
    // One that cannot start (a library is missing, a token is wrong) has ended before kStart. One
    // that has lived longer than it was waited for costs less to start again than it has done.
    if (lifetime >= std::max(kStart, next_)) next_ = kFirst;
    return std::exchange(next_, std::min(next_ * 2, kLongest));
  }

 private:
  static constexpr Time kFirst{500};
  static constexpr Time kStart{2'000};
  /// When the trouble of a machine is over, it is used again after no more than this.
  static constexpr Time kLongest{10'000};

  Time next_ = kFirst;
};

}  // namespace betatune
