#pragma once
/// Rows of matrices and of columns, by their numbers.

#include <Eigen/Core>
#include <span>

#include "optimizer/numerics/factor.hpp"

namespace betatune {

RowMatrix pick_rows(const RowMatrix& points, std::span<const Eigen::Index> rows);
Eigen::VectorXd pick_values(const Eigen::VectorXd& values, std::span<const Eigen::Index> rows);

}  // namespace betatune
