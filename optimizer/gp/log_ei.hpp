#pragma once
/// The acquisition function: how much a point promises.

#include <Eigen/Core>

#include "optimizer/gp/gaussian_process.hpp"

namespace betatune {

/// Log of expected improvement below `best`, for minimisation, of m points (m x columns, NaN where
/// inactive), in nats; finite even where EI underflows.
///
/// gradient null, or resized to m x columns and overwritten: by the numeric columns (0 for the
/// rest) source Ament et al. 2023, arXiv:2310.20708; golden: tests/golden/gp/log_ei.json
Eigen::VectorXd log_expected_improvement(const GaussianProcess& gp, double best,
                                         const RowMatrix& points, RowMatrix* gradient);

/// An optimistic value that costs O(n) per point instead of O(n^2): with the variance's upper
/// bound.
Eigen::VectorXd screen_log_ei(const GaussianProcess& gp, double best, const RowMatrix& points);

}  // namespace betatune
