#include "optimizer/pbt/drift_process.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace betatune {
namespace {

constexpr double kLeastVariance = 1e-12;
constexpr double kPendingNoise = 1e-6;  ///< enough for two of them in one place
constexpr double kUcbScale = 0.2, kUcbResults = 0.4;

}  // namespace

DriftProcess::DriftProcess(FeatureMap map, DriftHyperparameters at, const TimedFeatures& points,
                           const Eigen::VectorXd& y)
    : map_(std::move(map)), at_(std::move(at)) {
  BETATUNE_ASSERT(y.size() == points.size());
  points_.features.resize(map_.size(), 0);
  append(points, at_.place.noise);
  RowMatrix white, alpha;
  factor_.whiten(y, white);
  factor_.whiten_transposed(white, alpha);
  alpha_ = alpha;
}

void DriftProcess::append_pending(const TimedFeatures& points) {
  append(points, kPendingNoise);
}

void DriftProcess::append(const TimedFeatures& points, double noise) {
  if (points.size() == 0) return;
  const Eigen::Index before = points_.size(), count = points.size();
  points_.features.conservativeResize(Eigen::NoChange, before + count);
  points_.features.rightCols(count) = points.features;
  points_.times.conservativeResize(before + count);
  points_.times.tail(count) = points.times;
  RowMatrix rows = drift_kernel(map_, at_, points, points_, true);
  for (Eigen::Index i = 0; i < count; ++i) rows(i, before + i) += noise;
  factor_.append(rows);
}

DriftProcess::Beliefs DriftProcess::predict(const TimedFeatures& points) const {
  const RowMatrix kernel = drift_kernel(map_, at_, points_, points, false);
  RowMatrix white;
  factor_.whiten(kernel, white);
  Eigen::ArrayXd mean = Eigen::ArrayXd::Zero(points.size());
  Eigen::ArrayXd explained = Eigen::ArrayXd::Zero(points.size());
  for (Eigen::Index i = 0; i < alpha_.size(); ++i) {
    mean += alpha_[i] * kernel.row(i).transpose().array();
  }
  for (Eigen::Index i = 0; i < white.rows(); ++i) {
    explained += white.row(i).transpose().array().square();
  }
  return {mean.matrix(), (at_.place.amplitude - explained).max(kLeastVariance).matrix()};
}

double ucb_weight(Eigen::Index results) {
  const double beta = kUcbScale * std::log(kUcbResults * static_cast<double>(results));
  return std::sqrt(std::max(beta, 0.0));
}

Eigen::VectorXd upper_bounds(const DriftProcess::Beliefs& at, double weight) {
  return (at.mean.array() + weight * at.variance.array().sqrt()).matrix();
}

}  // namespace betatune
