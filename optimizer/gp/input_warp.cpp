#include "optimizer/gp/input_warp.hpp"

#include <cmath>

namespace betatune {
namespace {

/// The ends are pulled in by so much: there a slope may be infinite.
constexpr double kMargin = 1e-6;

double pulled_in(double x) {
  return kMargin + (1 - 2 * kMargin) * x;
}

}  // namespace

double InputWarp::value(double x) const {
  if (is_plain()) return x;
  return 1 - std::pow(1 - std::pow(pulled_in(x), a), b);
}

double InputWarp::slope(double x) const {
  if (is_plain()) return 1;
  const double t = pulled_in(x);
  return (1 - 2 * kMargin) * a * b * std::pow(t, a - 1) * std::pow(1 - std::pow(t, a), b - 1);
}

Eigen::Vector2d InputWarp::slope_by_logs(double x) const {
  const double t = pulled_in(x);
  const double power = std::pow(t, a), rest = 1 - power;
  return {a * b * std::pow(rest, b - 1) * power * std::log(t),
          -b * std::pow(rest, b) * std::log(rest)};
}

}  // namespace betatune
