#pragma once
/// The posterior of a function that drifts with time, and where it is worth looking next.

#include <Eigen/Core>

#include "optimizer/pbt/drift_kernel.hpp"

namespace betatune {

/// Data first, then pending points: those leave the mean as it is and take the variance away, so
/// that several points at once stay apart (Desautels et al. 2014). They count as observed without
/// noise: else a noisy model would ask for the same place again at once.
class DriftProcess {
 public:
  /// y: standardized, one per point.
  DriftProcess(FeatureMap map, DriftHyperparameters at, const TimedFeatures& points,
               const Eigen::VectorXd& y);

  void append_pending(const TimedFeatures& points);

  struct Beliefs {
    Eigen::VectorXd mean, variance;  ///< of the function itself, without noise
  };
  Beliefs predict(const TimedFeatures& points) const;
  const DriftHyperparameters& hyperparameters() const { return at_; }

 private:
  void append(const TimedFeatures& points, double noise);

  FeatureMap map_;
  DriftHyperparameters at_;
  TimedFeatures points_;
  GrowingFactor factor_;
  Eigen::VectorXd alpha_;  ///< of the data
};

/// kappa of mean + kappa deviation after so many results: sqrt(0.2 log(0.4 results)), the constants
/// of the authors' implementation; 0 where that is below 0. Theirs multiplies the variance; this is
/// the paper's, which multiplies the deviation.
/// source  Parker-Holder et al. 2020, arXiv:2002.02518, algorithm 1
double ucb_weight(Eigen::Index results);

/// The upper confidence bounds, one per point.
Eigen::VectorXd upper_bounds(const DriftProcess::Beliefs& at, double weight);

}  // namespace betatune
