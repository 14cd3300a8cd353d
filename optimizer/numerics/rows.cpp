#include "optimizer/numerics/rows.hpp"

namespace betatune {

RowMatrix pick_rows(const RowMatrix& points, std::span<const Eigen::Index> rows) {
  RowMatrix out(std::ssize(rows), points.cols());
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = points.row(rows[static_cast<std::size_t>(i)]);
  }
  return out;
}

Eigen::VectorXd pick_values(const Eigen::VectorXd& values, std::span<const Eigen::Index> rows) {
  Eigen::VectorXd out(std::ssize(rows));
  for (Eigen::Index i = 0; i < out.size(); ++i) out[i] = values[rows[static_cast<std::size_t>(i)]];
  return out;
}

}  // namespace betatune
