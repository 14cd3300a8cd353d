#pragma once
/// The posterior of a Gaussian process that grows by points: data first, then pending points, which
/// count as observed at their posterior mean. Those leave the mean as it is (their weights are
/// zero) and take the variance away, so that several points at once stay apart. They count as
/// observed without noise: else a noisy model would ask for the same place again and again at once.

#include <Eigen/Core>
#include <memory>

#include "optimizer/gp/marginal_likelihood.hpp"
#include "optimizer/gp/mean_function.hpp"

namespace betatune {

/// Of m points. The slopes are by the map's features, size() x m.
struct Prediction {
  Eigen::VectorXd mean, variance;  ///< of the function itself, without noise
  RowMatrix mean_slope, variance_slope;
};

class GaussianProcess {
 public:
  GaussianProcess(FeatureMap map, Hyperparameters hyperparameters);

  const FeatureMap& map() const { return map_; }
  const Hyperparameters& hyperparameters() const { return hyperparameters_; }
  Eigen::Index size() const { return features_.cols(); }
  /// Keeps the first `count` points. Precondition: count <= size().
  void truncate(Eigen::Index count);
  /// Appends points given as features, map().size() x m: of data, or pending.
  /// doubts: variances that come to the noise of each, or empty.
  void append(const RowMatrix& features, const Eigen::VectorXd& doubts = {});
  void append_pending(const RowMatrix& features);
  /// Its mean before any data; null: zero. To be followed by set_outputs().
  void set_mean(std::shared_ptr<const MeanFunction> mean) { mean_ = std::move(mean); }
  /// The outputs of all present points. Precondition: none is pending.
  void set_outputs(const Eigen::VectorXd& y);

  /// Posterior means at the points that have outputs.
  Eigen::VectorXd fitted() const;
  /// The mean alone, and an upper bound of the variance: what the nearest point leaves of it.
  /// O(n m); predict() is O(n^2 m).
  void screen(const RowMatrix& features, Eigen::VectorXd& mean, Eigen::VectorXd& variance) const;
  Prediction predict(const RowMatrix& features, bool with_slopes) const;

 private:
  void append_with(const RowMatrix& features, const Eigen::VectorXd& noise);

  FeatureMap map_;
  Hyperparameters hyperparameters_;
  RowMatrix features_;  ///< map().size() x n
  GrowingFactor factor_;
  Eigen::VectorXd noise_;  ///< of each point
  std::shared_ptr<const MeanFunction> mean_;
  Eigen::VectorXd y_, alpha_;  ///< y_: what the outputs are above that mean
  Eigen::VectorXd base_;       ///< that mean, where there are outputs
};

}  // namespace betatune
