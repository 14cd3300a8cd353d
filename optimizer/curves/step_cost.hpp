#pragma once
/// How long a step of training takes, by the configuration: what budgets of hours are spent on.
/// Layers and batch sizes that cost ten times more are not worth ten times more steps.

#include <map>

#include "optimizer/gp/gaussian_process.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// What trials have taken so far, as a fold of the log: of attempts that reached their goal, on the
/// clock that counts only while an optimizer runs, as the budgets do (budgets.hpp). So start-up and
/// checkpoints count, and the hours of a trainer that died do not.
class StepTimes {
 public:
  struct Taken {
    double seconds = 0;
    Step steps = 0;
  };

  void observe(const StudyState& state, const Event& event);
  /// Of every trial with a step that was trained.
  const std::map<TrialId, Taken>& trials() const { return trials_; }

 private:
  std::map<TrialId, Taken> trials_;
};

/// log(seconds / steps), seconds at least a microsecond a step: clocks may stand still.
double log_seconds_per_step(const StepTimes::Taken& taken);

/// A Gaussian process of the logarithm of seconds per step over the configuration: factors
/// multiply, so logarithms add up. A pure function of what it is given.
class StepCostModel {
 public:
  /// points: encoded, one a row. log_seconds: of each, finite. Precondition: there are rows.
  StepCostModel(const FeatureMap& map, const RowMatrix& points, const Eigen::VectorXd& log_seconds);

  /// Expected logarithms of seconds per step. points: encoded, one a row.
  Eigen::VectorXd log_seconds(const RowMatrix& points) const;

 private:
  double mean_ = 0, deviation_ = 1;
  GaussianProcess gp_;
};

}  // namespace betatune
