#include "optimizer/gp/log_ei.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

/// Points that are predicted at once: their kernel values stay in the cache.
constexpr Eigen::Index kBatch = 128;

}  // namespace

Eigen::VectorXd log_expected_improvement(const GaussianProcess& gp, double best,
                                         const RowMatrix& points, RowMatrix* gradient) {
  if (gradient == nullptr && points.rows() > kBatch) {
    Eigen::VectorXd all(points.rows());
    for (Eigen::Index i = 0; i < points.rows(); i += kBatch) {
      const Eigen::Index count = std::min(kBatch, points.rows() - i);
      all.segment(i, count) =
          log_expected_improvement(gp, best, points.middleRows(i, count), nullptr);
    }
    return all;
  }
  const RowMatrix features = gp.map().map(points);
  const Prediction at = gp.predict(features, gradient != nullptr);
  const Eigen::Index m = points.rows();
  Eigen::VectorXd value(m);
  RowMatrix slopes(gp.map().size(), gradient != nullptr ? m : 0);
  for (Eigen::Index i = 0; i < m; ++i) {
    const double sigma = std::sqrt(at.variance[i]);
    const LogImprovement improvement = log_improvement((best - at.mean[i]) / sigma);
    value[i] = improvement.log_h + std::log(sigma);
    if (gradient == nullptr) continue;
    // d log EI = -(Phi/h)/sigma d mean + (phi/h)/sigma d sigma, d sigma = d variance / (2 sigma).
    slopes.col(i) = -(improvement.cdf_over_h / sigma) * at.mean_slope.col(i) +
                    (improvement.pdf_over_h / (2 * at.variance[i])) * at.variance_slope.col(i);
  }
  if (gradient != nullptr) *gradient = gp.map().pull_back(points, slopes);
  return value;
}

Eigen::VectorXd screen_log_ei(const GaussianProcess& gp, double best, const RowMatrix& points) {
  Eigen::VectorXd value(points.rows()), mean, variance;
  for (Eigen::Index begin = 0; begin < points.rows(); begin += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.rows() - begin);
    gp.screen(gp.map().map(points.middleRows(begin, count)), mean, variance);
    for (Eigen::Index i = 0; i < count; ++i) {
      const double sigma = std::sqrt(variance[i]);
      value[begin + i] = log_improvement((best - mean[i]) / sigma).log_h + std::log(sigma);
    }
  }
  return value;
}

}  // namespace betatune
