#pragma once
/// Losses as the model sees them: every trial that counts has a finite output of moderate size.

#include <Eigen/Core>

namespace betatune {

/// losses: finite, or NaN for a trial that failed; at least one is finite.
/// returns winsorized, then standardized outputs (mean 0, variance 1; all zero if they are equal);
/// failures count as the worst. Losses far above the middle are cut at Tukey's outer fence: a model
/// that must explain a loss of 1e9 sees nothing else. Losses as large as 1e300 do no harm.
Eigen::VectorXd transform_outputs(const Eigen::VectorXd& losses);

}  // namespace betatune
