#include "optimizer/scaling_fit.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace betatune {

double ScalingFit::time(double x) const {
  return 1 / x + serial * (1 - 1 / x) + exchange * std::log2(x);
}

std::optional<double> ScalingFit::fastest() const {
  if (exchange <= 0) return std::nullopt;
  return std::max(1.0, (1 - serial) * std::numbers::ln2 / exchange);
}

std::optional<ScalingFit> fit_scaling(std::span<const ScalingPoint> points) {
  if (points.size() < 2) return std::nullopt;
  // Normal equations of y = serial a + exchange b.
  double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
  for (const ScalingPoint& point : points) {
    const double x = static_cast<double>(point.ranks) / points.front().ranks;
    const double a = 1 - 1 / x, b = std::log2(x), y = 1 / point.speedup - 1 / x;
    aa += a * a, ab += a * b, bb += b * b, ay += a * y, by += b * y;
  }
  ScalingFit fit;
  const double determinant = aa * bb - ab * ab;
  if (points.size() > 2 && determinant > 0) {
    fit.serial = (ay * bb - by * ab) / determinant;
    fit.exchange = (by * aa - ay * ab) / determinant;
  } else {
    fit.serial = ay / aa;
  }
  // One that is outside its bounds stays there, and the other is what is left.
  if (fit.serial < 0) fit = {0, points.size() > 2 ? by / bb : 0};
  if (fit.serial > 1) fit = {1, points.size() > 2 ? (by - ab) / bb : 0};
  if (fit.exchange < 0) fit = {ay / aa, 0};
  fit.serial = std::clamp(fit.serial, 0.0, 1.0);
  fit.exchange = std::max(0.0, fit.exchange);
  for (const ScalingPoint& point : points) {
    const double x = static_cast<double>(point.ranks) / points.front().ranks;
    fit.off_by = std::max(fit.off_by, std::abs(fit.time(x) * point.speedup - 1));
  }
  return fit;
}

}  // namespace betatune
