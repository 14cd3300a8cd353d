#include "optimizer/gp/log_ei.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

/// Points that are predicted at once: their kernel values stay in the cache.
constexpr Eigen::Index kBatch = 128;

}  // namespace

Eigen::VectorXd LogExpectedImprovement::value(const RowMatrix& points, RowMatrix* gradient) const {
  if (gradient == nullptr && points.rows() > kBatch) {
    Eigen::VectorXd all(points.rows());
    for (Eigen::Index i = 0; i < points.rows(); i += kBatch) {
      const Eigen::Index count = std::min(kBatch, points.rows() - i);
      all.segment(i, count) = value(points.middleRows(i, count), nullptr);
    }
    return all;
  }
  const RowMatrix features = gp_.map().map(points);
  const Prediction at = gp_.predict(features, gradient != nullptr);
  const Eigen::Index m = points.rows();
  Eigen::VectorXd logs(m);
  RowMatrix slopes(gp_.map().size(), gradient != nullptr ? m : 0);
  for (Eigen::Index i = 0; i < m; ++i) {
    const double sigma = std::sqrt(at.variance[i]);
    const LogImprovement improvement = log_improvement((best_ - at.mean[i]) / sigma);
    logs[i] = improvement.log_h + std::log(sigma);
    if (gradient == nullptr) continue;
    // d log EI = -(Phi/h)/sigma d mean + (phi/h)/sigma d sigma, d sigma = d variance / (2 sigma).
    slopes.col(i) = -(improvement.cdf_over_h / sigma) * at.mean_slope.col(i) +
                    (improvement.pdf_over_h / (2 * at.variance[i])) * at.variance_slope.col(i);
  }
  if (gradient != nullptr) *gradient = gp_.map().pull_back(points, slopes);
  return logs;
}

Eigen::VectorXd LogExpectedImprovement::bound(const RowMatrix& points) const {
  Eigen::VectorXd logs(points.rows()), mean, variance;
  for (Eigen::Index begin = 0; begin < points.rows(); begin += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.rows() - begin);
    gp_.screen(gp_.map().map(points.middleRows(begin, count)), mean, variance);
    for (Eigen::Index i = 0; i < count; ++i) {
      const double sigma = std::sqrt(variance[i]);
      logs[begin + i] = log_improvement((best_ - mean[i]) / sigma).log_h + std::log(sigma);
    }
  }
  return logs;
}

}  // namespace betatune
