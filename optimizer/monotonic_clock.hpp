#pragma once
/// The clock of the coordinator's inputs, where it is a real one.

#include <chrono>

#include "optimizer/coordinator.hpp"

namespace betatune {

inline Monotonic monotonic_now() {
  return std::chrono::duration_cast<Monotonic>(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace betatune
