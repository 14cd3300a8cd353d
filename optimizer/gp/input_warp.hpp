#pragma once
/// Numbers whose scale does not fit: a parameter that matters near one end of its range only, or
/// whose effect is a logarithm's that nobody wrote down. A warp of the unit interval, learned from
/// the results, makes the loss vary as fast everywhere as a stationary kernel has it.

#include <Eigen/Core>
#include <cstddef>
#include <vector>

#include "optimizer/numerics/dense.hpp"

namespace betatune {

/// The cumulative distribution function of Kumaraswamy: 1 - (1 - x^a)^b.
/// source: Snoek et al. 2014, arXiv:1402.0929
struct InputWarp {
  double a = 1, b = 1;

  bool is_plain() const { return a == 1 && b == 1; }
  /// At x in [0, 1]. A plain one leaves x as it is, bit for bit.
  double value(double x) const;
  /// d value / dx, finite at both ends.
  double slope(double x) const;
  /// d value / d log a and d value / d log b.
  Eigen::Vector2d slope_by_logs(double x) const;

  /// The same of `n` numbers; what comes of a NaN is anything.
  void values(const double* x, std::size_t n, double* out,
              dense::Width width = dense::machine_width()) const;
  void slopes(const double* x, std::size_t n, double* out,
              dense::Width width = dense::machine_width()) const;
  void slopes_by_logs(const double* x, std::size_t n, double* by_a, double* by_b,
                      dense::Width width = dense::machine_width()) const;
};

}  // namespace betatune
