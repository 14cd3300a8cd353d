#include "optimizer/numerics/normal.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace betatune {
namespace {

constexpr double kLogSqrt2Pi = 0.91893853320467274178;
/// Below it the continued fraction converges to double precision in kTerms steps.
constexpr double kTail = -5.0;
constexpr int kTerms = 64;
/// Arguments beyond it count as it, so that their squares stay finite.
constexpr double kLargest = 1e140;

/// Mills' ratio is 1 / (t + s) with s = 1/(t + 2/(t + 3/(t + ...))).
double mills_s(double t) {
  double s = 0;
  for (int k = kTerms; k >= 1; --k) s = k / (t + s);
  return s;
}

}  // namespace

double log_ndtr(double z) {
  if (z < kTail) {
    const double t = std::min(-z, kLargest);
    return -0.5 * t * t - kLogSqrt2Pi - std::log(t + mills_s(t));
  }
  if (z > 0) return std::log1p(-0.5 * std::erfc(z / std::numbers::sqrt2));
  return std::log(0.5 * std::erfc(-z / std::numbers::sqrt2));
}

LogImprovement log_improvement(double z) {
  if (z < kTail) {
    // Phi = phi / (t + s), so h = phi (1 - t / (t + s)) = phi s / (t + s).
    const double t = std::min(-z, kLargest);
    const double s = mills_s(t);
    return {-0.5 * t * t - kLogSqrt2Pi + std::log(s / (t + s)), 1 / s, (t + s) / s};
  }
  const double pdf = std::exp(-0.5 * z * z - kLogSqrt2Pi);
  const double cdf = 0.5 * std::erfc(-z / std::numbers::sqrt2);
  const double h = pdf + z * cdf;
  return {std::log(h), cdf / h, pdf / h};
}

}  // namespace betatune
