#pragma once
/// The loops in which a Parzen estimator of thousands of kernels spends its time: sums over
/// kernels, for one point and one column at a time.
///
/// Like those of numerics/dense.hpp they give the same bits whatever the width of the machine's
/// vectors: without fused multiply-add, and every sum in an order of its own, in eight lanes.

#include <cstddef>

#include "optimizer/numerics/dense.hpp"

namespace betatune::kernels {

/// out[i] -= (point - centres[i])^2 factors[i], for i < n. Precondition: nothing overlaps.
void subtract_squares(double point, const double* centres, const double* factors, std::size_t n,
                      double* out, dense::Width width = dense::machine_width());

/// out[i] += centres[i] == point ? same : other, for i < n. Precondition: nothing overlaps.
void add_matches(double point, double same, double other, const double* centres, std::size_t n,
                 double* out, dense::Width width = dense::machine_width());

/// log of the sum of exp(values[i]), i < n, to 1e-14. Precondition: n > 0, finite values.
double log_sum_exp(const double* values, std::size_t n,
                   dense::Width width = dense::machine_width());

}  // namespace betatune::kernels
