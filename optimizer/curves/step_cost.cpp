#include "optimizer/curves/step_cost.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

constexpr double kMicrosecond = 1e-6;
constexpr int kFitEvaluations = 25;

GaussianProcess fit_gp(const FeatureMap& map, const RowMatrix& points, const Eigen::VectorXd& y) {
  const RowMatrix features = map.map(points);
  const Training training{map, features};
  const Hyperparameters start = most_probable_starts(training, y)[0].at;
  GaussianProcess gp(map, fit_hyperparameters(training, y, start, kFitEvaluations).at);
  gp.append(features);
  gp.set_outputs(y);
  return gp;
}

double deviation_of(const Eigen::VectorXd& values) {
  const double deviation = std::sqrt((values.array() - values.mean()).square().mean());
  return deviation > 0 ? deviation : 1;
}

}  // namespace

void StepTimes::observe(const StudyState& state, const Event& event) {
  const auto* ended = std::get_if<AttemptEnded>(&event.fact);
  if (ended == nullptr || ended->end != AttemptEnd::reached) return;
  const Trial& trial = state.trials[ended->trial];
  if (trial.trained == 0) return;
  Taken& taken = trials_[ended->trial];
  taken.seconds += kMicrosecond * static_cast<double>(state.active_us - trial.began_us);
  taken.steps += trial.trained;
}

double log_seconds_per_step(const StepTimes::Taken& taken) {
  return std::log(std::max(taken.seconds / static_cast<double>(taken.steps), kMicrosecond));
}

StepCostModel::StepCostModel(const FeatureMap& map, const RowMatrix& points,
                             const Eigen::VectorXd& log_seconds)
    : mean_(log_seconds.mean()),
      deviation_(deviation_of(log_seconds)),
      gp_(fit_gp(map, points, ((log_seconds.array() - mean_) / deviation_).matrix())) {}

Eigen::VectorXd StepCostModel::log_seconds(const RowMatrix& points) const {
  const Eigen::VectorXd mean = gp_.predict(gp_.map().map(points), false).mean;
  return (mean_ + deviation_ * mean.array()).matrix();
}

}  // namespace betatune
