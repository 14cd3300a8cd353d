#include "optimizer/gp/output_transform.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune {
namespace {

constexpr double kFence = 3.0;  ///< quartile distances above the third quartile

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
  y.array() -= y.mean();
  const double deviation = std::sqrt(y.squaredNorm() / static_cast<double>(y.size()));
  if (deviation > 1e-13) {
    y /= deviation;
  } else {
    y.setZero();
  }
  return y;
}

}  // namespace betatune
