#pragma once
/// Turns taken evenly, without a memory of whose the last one was.

#include <cmath>
#include <cstdint>

namespace betatune {

/// Whether turn `number` belongs to the one of two who is to have this share of all turns: the
/// fractional parts of multiples of the golden ratio are spread evenly, whatever the share.
inline bool has_turn(std::uint64_t number, double share) {
  const double turn = 0.6180339887498949 * static_cast<double>(number);
  return turn - std::floor(turn) < share;
}

}  // namespace betatune
