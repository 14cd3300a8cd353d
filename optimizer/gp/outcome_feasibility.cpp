#include "optimizer/gp/outcome_feasibility.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

/// Points that are predicted at once: their kernel values stay in the cache.
constexpr Eigen::Index kBatch = 128;
/// Share of the slacks' variance above which a limit that was just met may have been luck.
constexpr double kNoisy = 1e-3;
/// Variance beside the posterior's: at a result the probability would be a step, which no gradient
/// crosses.
constexpr double kSoftness = 1e-10;

/// Adds log Phi of one constraint to `logs`, and its gradient.
void add_constraint(const SlackModel& model, const RowMatrix& points, Eigen::VectorXd& logs,
                    RowMatrix* gradient) {
  const FeatureMap& map = model.gp->map();
  const Prediction at = model.gp->predict(map.map(points), gradient != nullptr);
  RowMatrix slopes(map.size(), gradient == nullptr ? 0 : points.rows());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const double deviation = std::sqrt(at.variance[i] + kSoftness);
    const double z = (model.zero - at.mean[i]) / deviation;
    const double log_p = log_ndtr(z);
    logs[i] += log_p;
    if (gradient == nullptr) continue;
    // phi(z) / Phi(z), by its logarithm: both underflow far in the tail.
    const double ratio = std::exp(-0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi) - log_p);
    slopes.col(i) = -(ratio / deviation) * at.mean_slope.col(i) -
                    (0.5 * ratio * z / (deviation * deviation)) * at.variance_slope.col(i);
  }
  if (gradient != nullptr) *gradient += map.pull_back(points, slopes);
}

}  // namespace

void OutcomeFeasibility::pend(const RowMatrix& points) {
  for (const SlackModel& each : models_) each.gp->append_pending(each.gp->map().map(points));
}

bool OutcomeFeasibility::noisy() const {
  return std::ranges::any_of(
      models_, [](const SlackModel& each) { return each.gp->hyperparameters().noise > kNoisy; });
}

std::vector<bool> OutcomeFeasibility::met_by_mean(const RowMatrix& points) const {
  std::vector<bool> out(static_cast<std::size_t>(points.rows()), true);
  Eigen::VectorXd mean, variance;
  for (const SlackModel& each : models_) {
    if (points.rows() == 0) break;
    each.gp->screen(each.gp->map().map(points), mean, variance);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (mean[static_cast<Eigen::Index>(i)] > each.zero) out[i] = false;
    }
  }
  return out;
}

Eigen::VectorXd OutcomeFeasibility::value(const RowMatrix& points, RowMatrix* gradient) const {
  Eigen::VectorXd logs = Eigen::VectorXd::Zero(points.rows());
  if (gradient != nullptr) {
    *gradient = RowMatrix::Zero(points.rows(), points.cols());
    for (const SlackModel& each : models_) add_constraint(each, points, logs, gradient);
    return logs;
  }
  for (Eigen::Index begin = 0; begin < points.rows(); begin += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.rows() - begin);
    const RowMatrix some = points.middleRows(begin, count);
    Eigen::VectorXd part = Eigen::VectorXd::Zero(count);
    for (const SlackModel& each : models_) add_constraint(each, some, part, nullptr);
    logs.segment(begin, count) = part;
  }
  return logs;
}

Eigen::VectorXd OutcomeFeasibility::bound(const RowMatrix& points) const {
  Eigen::VectorXd logs = Eigen::VectorXd::Zero(points.rows()), mean, variance;
  for (const SlackModel& each : models_) {
    each.gp->screen(each.gp->map().map(points), mean, variance);
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      // Less variance makes what is met on average surer: there the bound is certainty.
      if (mean[i] <= each.zero) continue;
      logs[i] += log_ndtr((each.zero - mean[i]) / std::sqrt(variance[i] + kSoftness));
    }
  }
  return logs;
}

}  // namespace betatune
