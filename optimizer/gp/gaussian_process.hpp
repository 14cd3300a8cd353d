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

/// What the points of a process say of m others: all that its predictions there are made of.
struct Projection {
  RowMatrix kernel, slope;  ///< size() x m: covariances, and their derivatives by squared distance
  RowMatrix white;          ///< L^-1 of the covariances, L L^T being that of the points
  RowMatrix solved;         ///< (L L^T)^-1 of them, where slopes are asked for
  Eigen::VectorXd base;     ///< the mean before any data
  RowMatrix base_slope;     ///< map().size() x m, or empty: it has none
  Eigen::VectorXd variance;
};

class GaussianProcess {
 public:
  GaussianProcess(FeatureMap map, Hyperparameters hyperparameters);

  const FeatureMap& map() const { return map_; }
  const Hyperparameters& hyperparameters() const { return hyperparameters_; }
  /// The length-scales in the unit cube near an encoded point: where a warp is steep they are
  /// shorter than in its scale.
  Eigen::VectorXd lengthscales_at(const Eigen::VectorXd& point) const;
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

  /// The weights of all points, size() x draws, under which kernel^T weights + base are functions
  /// whose values at the points without outputs are drawn jointly. normals: standard normals, one
  /// row for each of those points; a row of zeros leaves the point at its mean.
  RowMatrix draw_weights(const RowMatrix& normals) const;
  /// slope is left empty without `with_slopes`.
  Projection project(const RowMatrix& features, bool with_slopes) const;
  /// Their features, map().size() x any.
  RowMatrix points_without_outputs() const;
  /// By the features, map().size() x m each: of kernel^T weights (size() x m: every feature has its
  /// own), and of the variance. `at` is their projection, with slopes.
  struct Slopes {
    RowMatrix mean, variance;
  };
  Slopes slopes(const RowMatrix& features, const Projection& at, const RowMatrix& weights) const;
  /// As screen(), of all functions with `weights` (size() x r): means, m x r.
  void screen(const RowMatrix& features, const RowMatrix& weights, RowMatrix& means,
              Eigen::VectorXd& variance) const;

 private:
  void append_with(const RowMatrix& features, const Eigen::VectorXd& noise);
  /// kernel: size() x m, of amplitude 1.
  Eigen::VectorXd variance_bound(const RowMatrix& kernel) const;

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
