#pragma once
/// Losses as the model sees them: every trial that counts has a finite output of moderate size.

#include <Eigen/Core>

namespace betatune {

/// losses: finite, or NaN for a trial that failed; at least one is finite.
/// returns outputs of mean 0 and variance 1 (all zero if they are equal) in the order of the
/// losses; failures count as the worst. Losses more than 20 quartile distances above the third
/// quartile are cut there: a model that must explain a loss of 1e9 sees nothing else. Then the
/// power of Yeo and Johnson, 1 or less, that makes them most like draws from a normal distribution:
/// losses often span orders of magnitude, and what matters is near the lowest. Losses of 1e300 do
/// no harm. source: winsorizing as in Ax, the power as in HEBO (Cowen-Rivers et al. 2022,
/// arXiv:2012.03826)
Eigen::VectorXd transform_outputs(const Eigen::VectorXd& losses);

}  // namespace betatune
