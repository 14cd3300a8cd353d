#pragma once
/// The Cholesky factor of a covariance matrix that grows by rows, kept as its inverse.

#include <Eigen/Core>
#include <cstddef>
#include <vector>

namespace betatune {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A = L L^T with L lower triangular, and W = L^-1: A^-1 = W^T W, so that whitening many columns
/// and its transpose are matrix products. Rows can be appended (O(n^2) each) and dropped from the
/// end. Row i of both depends only on rows 0..i of A, and has the same bits however the rows came.
class GrowingFactor {
 public:
  std::size_t size() const { return size_; }
  /// Keeps the first `size` rows. Precondition: size <= size().
  void truncate(std::size_t size);
  /// Appends rows.rows() rows; row i of `rows` has the covariances with all rows up to itself (what
  /// follows is not read): rows.cols() == size() + rows.rows(). A pivot below 1e-12 counts as
  /// 1e-12.
  void append(const RowMatrix& rows);

  /// out = W in, out = W^T in; both size() x k.
  void whiten(const RowMatrix& in, RowMatrix& out) const;
  void whiten_transposed(const RowMatrix& in, RowMatrix& out) const;
  /// white = W in, solved = W^T white, in one pass over W: for few columns that is what takes time.
  void solve(const RowMatrix& in, RowMatrix& white, RowMatrix& solved) const;
  /// A^-1, size() x size().
  RowMatrix inverse() const;
  /// Sum of log L_ii, which is half of log det A.
  double half_log_determinant() const;

 private:
  void append_within_block(const RowMatrix& rows, std::size_t first, std::size_t begin,
                           std::size_t end);
  void finish_block(const Eigen::Ref<const RowMatrix, 0, Eigen::OuterStride<>>& own,
                    const RowMatrix& left, std::size_t begin);
  void reserve(std::size_t size);
  double* l(std::size_t i) { return lower_.data() + i * capacity_; }
  double* w(std::size_t i) { return white_.data() + i * capacity_; }
  const double* l(std::size_t i) const { return lower_.data() + i * capacity_; }
  const double* w(std::size_t i) const { return white_.data() + i * capacity_; }

  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::vector<double> lower_, white_;  ///< capacity x capacity; above the diagonal: zero
};

}  // namespace betatune
