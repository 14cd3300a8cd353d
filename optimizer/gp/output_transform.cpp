#include "optimizer/gp/output_transform.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kLeastForPower = 5;
constexpr int kPowers = 20;  ///< that are tried, from 1 downwards
constexpr double kPowerStep = 0.1;
constexpr double kFence = 20;  ///< quartile distances above the third quartile

/// Yeo and Johnson's power of y: bends large values down for lambda < 1, keeps the order.
double bend(double y, double lambda) {
  if (y >= 0) {
    return lambda == 0 ? std::log1p(y) : std::expm1(lambda * std::log1p(y)) / lambda;
  }
  const double rest = 2 - lambda;  // >= 1 for lambda <= 1
  return -std::expm1(rest * std::log1p(-y)) / rest;
}

void standardize(Eigen::VectorXd& y) {
  y.array() -= y.mean();
  const double deviation = std::sqrt(y.squaredNorm() / static_cast<double>(y.size()));
  if (deviation > 1e-13) {
    y /= deviation;
  } else {
    y.setZero();
  }
}

/// The power under which standardized outputs look most like draws from one normal distribution.
double best_power(const Eigen::VectorXd& y) {
  double log_slopes = 0;
  for (const double each : y) log_slopes += std::copysign(std::log1p(std::abs(each)), each);
  double best = 1, highest = -std::numeric_limits<double>::infinity();
  for (int step = 0; step <= kPowers; ++step) {
    const double lambda = 1 - kPowerStep * step;
    Eigen::VectorXd bent = y.unaryExpr([&](double each) { return bend(each, lambda); });
    bent.array() -= bent.mean();
    const double n = static_cast<double>(y.size());
    const double likelihood =
        -0.5 * n * std::log(bent.squaredNorm() / n) + (lambda - 1) * log_slopes;
    if (likelihood > highest) {
      highest = likelihood;
      best = lambda;
    }
  }
  return best;
}

/// The value that a share of the sorted numbers is below, interpolated.
double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

Eigen::VectorXd transform_outputs(const Eigen::VectorXd& losses) {
  std::vector<double> sorted;
  double largest = 0;
  for (const double loss : losses) {
    if (std::isfinite(loss)) largest = std::max(largest, std::abs(loss));
  }
  const double unit = largest > 0 ? largest : 1;  // so that no square overflows
  for (const double loss : losses) {
    if (std::isfinite(loss)) sorted.push_back(loss / unit);
  }
  BETATUNE_ASSERT(!sorted.empty());
  std::sort(sorted.begin(), sorted.end());
  const double third = quantile(sorted, 0.75);
  const double spread = third - quantile(sorted, 0.25);
  // Half of the results may be equal; a fence at their value would make all the worse ones so too.
  const double fence = spread > 0 ? third + kFence * spread : sorted.back();
  const double worst = std::min(fence, sorted.back());

  Eigen::VectorXd y(losses.size());
  for (Eigen::Index i = 0; i < y.size(); ++i) {
    y[i] = std::isfinite(losses[i]) ? std::min(losses[i] / unit, worst) : worst;
  }
  standardize(y);
  if (y.size() >= kLeastForPower) {
    const double lambda = best_power(y);
    for (double& each : y) each = bend(each, lambda);
    standardize(y);
  }
  return y;
}

}  // namespace betatune
