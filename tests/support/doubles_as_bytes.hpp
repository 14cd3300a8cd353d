#pragma once
/// Numbers that the processes of a test hand to it as the bytes of doubles.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace betatune::support {

/// The largest difference; infinite if there is nothing to compare, the lengths differ, or a number
/// is not finite.
inline double difference(const std::string& a, const std::string& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); i += sizeof(double)) {
    double x = 0, y = 0;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    if (!std::isfinite(x) || !std::isfinite(y)) return INFINITY;
    largest = std::max(largest, std::abs(x - y));
  }
  return largest;
}

}  // namespace betatune::support
