#pragma once
/// Products of matrices by sums that have the same bits on every machine (see dense.hpp).

#include "optimizer/numerics/factor.hpp"

namespace betatune {

/// a b.
RowMatrix product(const RowMatrix& a, const RowMatrix& b);
/// a^T b.
RowMatrix product_of_transposed(const RowMatrix& a, const RowMatrix& b);

}  // namespace betatune
