#include "optimizer/gp/hypervolume_improvement.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

/// Points that are predicted at once: their kernel values stay in the cache.
constexpr Eigen::Index kBatch = 128;

}  // namespace

Eigen::VectorXd HypervolumeImprovement::value(const RowMatrix& points, RowMatrix* gradient) const {
  const Eigen::Index n = points.rows();
  if (gradient == nullptr && n > kBatch) {
    Eigen::VectorXd all(n);
    for (Eigen::Index i = 0; i < n; i += kBatch) {
      const Eigen::Index count = std::min(kBatch, n - i);
      all.segment(i, count) = value(points.middleRows(i, count), nullptr);
    }
    return all;
  }
  const Eigen::Index m = std::ssize(gps_);
  std::vector<Prediction> at;
  for (const GaussianProcess* gp : gps_) {
    at.push_back(gp->predict(gp->map().map(points), gradient != nullptr));
  }
  Eigen::VectorXd logs(n), by_mean, by_deviation, means(m), deviations(m);
  std::vector<RowMatrix> slopes;
  for (const GaussianProcess* gp : gps_) {
    slopes.emplace_back(gp->map().size(), gradient == nullptr ? 0 : n);
  }
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < m; ++j) {
      means[j] = at[static_cast<std::size_t>(j)].mean[i];
      deviations[j] = std::sqrt(at[static_cast<std::size_t>(j)].variance[i]);
    }
    logs[i] =
        ehvi_.value(means, deviations, gradient == nullptr ? nullptr : &by_mean, &by_deviation);
    for (Eigen::Index j = 0; gradient != nullptr && j < m; ++j) {
      const Prediction& own = at[static_cast<std::size_t>(j)];
      // d deviation = d variance / (2 deviation)
      slopes[static_cast<std::size_t>(j)].col(i) =
          by_mean[j] * own.mean_slope.col(i) +
          (by_deviation[j] / (2 * deviations[j])) * own.variance_slope.col(i);
    }
  }
  if (gradient == nullptr) return logs;
  *gradient = RowMatrix::Zero(n, points.cols());
  for (std::size_t j = 0; j < gps_.size(); ++j) {
    *gradient += gps_[j]->map().pull_back(points, slopes[j]);
  }
  return logs;
}

}  // namespace betatune
