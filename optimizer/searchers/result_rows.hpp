#pragma once
/// Which rows of a study's results count, and which of them is best.

#include <vector>

#include "optimizer/gp/gaussian_process.hpp"
#include "optimizer/gp/observations.hpp"
#include "optimizer/gp/outcome_feasibility.hpp"

namespace betatune {

/// The lowest of `values` among the allowed rows; -1 if there are none.
Eigen::Index lowest_row(const Eigen::VectorXd& values, const std::vector<bool>& allowed);

bool any_of(const std::vector<bool>& rows);

std::vector<bool> rows_with_loss(const Observations& data);

/// Rows with a loss that meet the outcome constraints: as observed, and, where that is noisy, as
/// the models see them too (or as they alone see them, if no row meets both).
std::vector<bool> feasible_rows(const Observations& data, const OutcomeFeasibility& limits);

/// Posterior means at encoded points, one a row.
Eigen::VectorXd means_at(const GaussianProcess& gp, const RowMatrix& points);

}  // namespace betatune
