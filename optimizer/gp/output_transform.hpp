#pragma once
/// Losses as the model sees them: outputs of moderate size that a Gaussian process explains well.

#include <Eigen/Core>

namespace betatune {

/// What makes losses more like draws from a normal distribution.
struct OutputBend {
  /// 0: a power that is chosen from the losses. Else the logarithm of
  /// loss - lowest + shift (median - lowest), for losses over many orders of magnitude.
  double shift = 0;
};

struct Outputs {
  Eigen::VectorXd y;         ///< of mean 0 and variance 1; all zero if the losses are equal
  Eigen::VectorXd slopes;    ///< dy/dloss of each; not of slacks
  double log_slope = 0;      ///< sum of the logarithms of dy/dloss, up to a constant of the losses
  double slope_at_best = 1;  ///< dy/dloss at the lowest loss
  double zero = 0;           ///< of slacks and of one of several objectives: the output of 0
};

/// losses: finite, at least one. The outputs are in their order and rise with them.
///
/// Without a shift, losses more than 20 quartile distances above the third quartile rise only
/// logarithmically from there: a model that must explain a loss of 1e9 sees nothing else. Then
/// comes the power of Yeo and Johnson, 1 or less, that makes them most like draws from a normal
/// distribution: losses often span orders of magnitude, and what matters is near the lowest. Losses
/// of 1e300 do no harm. source: winsorizing as in Ax, the power as in HEBO (Cowen-Rivers et al.
/// 2022, arXiv:2012.03826)
Outputs transform_outputs(const Eigen::VectorXd& losses, OutputBend bend = {});

/// One of several objectives: finite values, at least one. Hypervolumes compare gains in one
/// objective with gains in another, so nothing is bent; only values far above the others rise
/// logarithmically, as in transform_outputs(). `zero` says where a value of 0 would be.
Outputs transform_objective(const Eigen::VectorXd& values);

/// slacks: finite, at least one. What matters of a slack is on which side of 0 it lies and, near 0,
/// how far: sign(s) log(1 + |s| / median of |s|) keeps both and tames what is far away, then mean 0
/// and variance 1. `zero` says where 0 went; the slopes are not set.
/// source: the bilog transform of Eriksson and Poloczek 2021, arXiv:2002.08526
Outputs transform_slacks(const Eigen::VectorXd& slacks);

}  // namespace betatune
