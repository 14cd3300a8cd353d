#pragma once
/// log for loops that the compiler turns into vector instructions: no table, no branch, no call.

#include <bit>
#include <cstdint>

namespace betatune {

/// log(x) for normal x > 0, relative error below 1e-15. By reduction to a mantissa in
/// [sqrt(1/2), sqrt(2)) and the series of 2 atanh((m - 1) / (m + 1)). Our own, because the
/// library's differs between machines and is not vectorized.
[[gnu::always_inline]] inline double log_of_positive(double x) {
  constexpr double kMagic = 0x1.8p52;
  constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCD;
  constexpr std::uint64_t kBias = 1024;  // keeps the shifted number positive: shifts are logical
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const std::uint64_t exponent = (bits - kRootOfHalf + (kBias << 52)) >> 52;
  const double m = std::bit_cast<double>(bits - ((exponent - kBias) << 52));
  const double n = std::bit_cast<double>(std::bit_cast<std::uint64_t>(kMagic) + exponent) -
                   (kMagic + static_cast<double>(kBias));
  const double s = (m - 1) / (m + 1), z = s * s;
  double p = 1.0 / 21;
  p = p * z + 1.0 / 19;
  p = p * z + 1.0 / 17;
  p = p * z + 1.0 / 15;
  p = p * z + 1.0 / 13;
  p = p * z + 1.0 / 11;
  p = p * z + 1.0 / 9;
  p = p * z + 1.0 / 7;
  p = p * z + 1.0 / 5;
  p = p * z + 1.0 / 3;
  const double twice = 2 * s;
  // ln(2) in two parts, the first of which times n has no rounding.
  return n * 0x1.62e42feep-1 + (twice + (twice * z * p + n * 0x1.a39ef35793c76p-33));
}

}  // namespace betatune
