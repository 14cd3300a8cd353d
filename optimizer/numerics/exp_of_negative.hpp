#pragma once
/// exp for loops that the compiler turns into vector instructions: no table, no branch, no call.

#include <bit>
#include <cstdint>

namespace betatune {

/// exp(x) for x <= 0, relative error below 1e-15; below -700 it stays at exp(-700), about 1e-304.
/// By reduction to |r| <= ln(2)/2 and Taylor's polynomial of degree 13. Our own, because the
/// library's differs between machines and is not vectorized.
[[gnu::always_inline]] inline double exp_of_negative(double x) {
  constexpr double kMagic = 0x1.8p52;  // adding it rounds to an integer in the low bits
  const double bounded = x < -700.0 ? -700.0 : x;
  const double shifted = bounded * 0x1.71547652b82fep0 + kMagic;
  const double n = shifted - kMagic;
  const double r = (bounded - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const auto exponent = std::bit_cast<std::uint64_t>(shifted) << 52;
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(p) + exponent);
}

}  // namespace betatune
