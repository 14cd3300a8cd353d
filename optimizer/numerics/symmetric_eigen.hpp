#pragma once
/// Eigenvalues and eigenvectors of a symmetric matrix, in an order of operations of our own: Eigen
/// cuts its products by the size of the machine's caches, and then the last bits differ.

#include <Eigen/Core>

#include "optimizer/numerics/factor.hpp"

namespace betatune {

/// A = V^T diag(values) V: row k of V is the eigenvector of values[k].
struct SymmetricEigen {
  Eigen::VectorXd values;  ///< in no order
  RowMatrix vectors;       ///< orthonormal rows
};

/// By Householder reflections to tridiagonal form, then QL steps with implicit shifts (Golub and
/// Van Loan, Matrix Computations, ch. 8). O(n^3), about 10 n^3 operations; absolute error of the
/// values about 1e-15 of the largest.
/// a   symmetric, finite, entries of moderate size (their squares must not overflow)
SymmetricEigen symmetric_eigen(const RowMatrix& a);

}  // namespace betatune
