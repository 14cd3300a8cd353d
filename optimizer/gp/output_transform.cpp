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
double yeo_johnson(double y, double lambda) {
  if (y >= 0) {
    return lambda == 0 ? std::log1p(y) : std::expm1(lambda * std::log1p(y)) / lambda;
  }
  const double rest = 2 - lambda;  // >= 1 for lambda <= 1
  return -std::expm1(rest * std::log1p(-y)) / rest;
}

/// To mean 0 and variance 1, keeping account of the slopes.
void standardize(Outputs& out) {
  Eigen::VectorXd& y = out.y;
  y.array() -= y.mean();
  const double deviation = std::sqrt(y.squaredNorm() / static_cast<double>(y.size()));
  if (deviation > 1e-13) {
    y /= deviation;
    out.slopes /= deviation;
    out.log_slope -= static_cast<double>(y.size()) * std::log(deviation);
    out.slope_at_best /= deviation;
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
    Eigen::VectorXd bent = y.unaryExpr([&](double each) { return yeo_johnson(each, lambda); });
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

/// What is known of the losses before they are bent, in units of the largest.
struct Spread {
  double unit, lowest, middle, third, quartiles;
};

Spread spread_of(const Eigen::VectorXd& losses) {
  const double largest = losses.cwiseAbs().maxCoeff();
  const double unit = largest > 0 ? largest : 1;  // so that no square overflows
  std::vector<double> sorted;
  for (const double loss : losses) sorted.push_back(loss / unit);
  std::sort(sorted.begin(), sorted.end());
  const double third = quantile(sorted, 0.75);
  return {unit, sorted.front(), quantile(sorted, 0.5), third, third - quantile(sorted, 0.25)};
}

Outputs in_units(const Eigen::VectorXd& values, double unit) {
  return {values / unit, Eigen::VectorXd::Constant(values.size(), 1 / unit), 0, 1 / unit, 0};
}

void take_logarithms(const Spread& spread, double floor, Outputs& out) {
  for (Eigen::Index i = 0; i < out.y.size(); ++i) {
    double& y = out.y[i];
    out.slopes[i] /= y - spread.lowest + floor;
    y = std::log(y - spread.lowest + floor);
    out.log_slope -= y;
  }
  out.slope_at_best /= floor;
}

void soften_outliers(const Spread& spread, Outputs& out) {
  // Half of the results may be equal; a fence at their value would make all the worse ones so too.
  if (!(spread.quartiles > 0)) return;
  const double fence = spread.third + kFence * spread.quartiles;
  for (Eigen::Index i = 0; i < out.y.size(); ++i) {
    double& y = out.y[i];
    if (y <= fence) continue;
    const double over = std::log1p((y - fence) / spread.quartiles);
    y = fence + spread.quartiles * over;
    out.slopes[i] *= std::exp(-over);
    out.log_slope -= over;
  }
}

void take_power(Outputs& out) {
  const double lambda = best_power(out.y);
  const auto log_slope = [lambda](double y) {
    return (lambda - 1) * std::copysign(std::log1p(std::abs(y)), y);
  };
  out.slope_at_best *= std::exp(log_slope(out.y.minCoeff()));
  for (Eigen::Index i = 0; i < out.y.size(); ++i) {
    double& y = out.y[i];
    out.slopes[i] *= std::exp(log_slope(y));
    out.log_slope += log_slope(y);
    y = yeo_johnson(y, lambda);
  }
}

}  // namespace

Outputs transform_objective(const Eigen::VectorXd& values) {
  BETATUNE_ASSERT(values.size() > 0);
  const Spread spread = spread_of(values);
  Outputs out = in_units(values, spread.unit);
  soften_outliers(spread, out);
  standardize(out);
  Eigen::Index lowest = 0;
  const double value = values.minCoeff(&lowest);
  out.zero = out.y[lowest] - value * out.slope_at_best;
  return out;
}

Outputs transform_slacks(const Eigen::VectorXd& slacks) {
  BETATUNE_ASSERT(slacks.size() > 0);
  const double unit = std::max(slacks.cwiseAbs().maxCoeff(), std::numeric_limits<double>::min());
  std::vector<double> sizes;
  for (const double slack : slacks) {
    if (slack != 0) sizes.push_back(std::abs(slack / unit));
  }
  std::sort(sizes.begin(), sizes.end());
  const double middle = sizes.empty() ? 1 : quantile(sizes, 0.5);
  Outputs out{slacks / unit, {}, 0, 1, 0};
  for (double& y : out.y) y = std::copysign(std::log1p(std::abs(y) / middle), y);
  const double mean = out.y.mean();
  out.y.array() -= mean;
  const double spread = std::sqrt(out.y.squaredNorm() / static_cast<double>(out.y.size()));
  const double deviation = spread > 1e-13 ? spread : 1;
  out.y /= deviation;
  out.zero = -mean / deviation;
  return out;
}

Outputs transform_outputs(const Eigen::VectorXd& losses, OutputBend bend) {
  BETATUNE_ASSERT(losses.size() > 0);
  const Spread spread = spread_of(losses);
  Outputs out = in_units(losses, spread.unit);
  const double floor = bend.shift * (spread.middle - spread.lowest);
  if (floor > 0) {
    take_logarithms(spread, floor, out);
    standardize(out);
    return out;
  }
  soften_outliers(spread, out);
  standardize(out);
  if (out.y.size() < kLeastForPower) return out;
  take_power(out);
  standardize(out);
  return out;
}

}  // namespace betatune
