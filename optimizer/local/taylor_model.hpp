#pragma once
/// A polynomial model of a function near one point, from any number of its values: Bayesian
/// regression on the terms of its Taylor series, with a noise that grows with the distance as the
/// series' remainder does. With few values it is a plane with a guess of the curvature, with many a
/// polynomial of fourth order, and in between it says how unsure it is. Powell's methods (NEWUOA,
/// BOBYQA) interpolate with a quadratic where this one weighs.
///
///   y(z) = c + sum_k T_k(z) + bowl |z|^2 + remainder,   k = 1 .. 4
///
/// z is measured from the centre in units of a trust region. The coefficients of all monomials of
/// order k have one common prior variance, which makes the prior's covariance of T_k the k-th power
/// of z z'. The bowl, one curvature for all axes, has its own, so that many dimensions need few
/// values. All variances follow from the values (maximum a posteriori).

#include <Eigen/Core>
#include <array>
#include <cstddef>

#include "optimizer/numerics/factor.hpp"

namespace betatune {

inline constexpr std::size_t kTaylorOrders = 4;

/// Of the logarithm of a variance: normal, within bounds.
struct LogPrior {
  double mean, deviation, low, high;
};

class TaylorModel {
 public:
  /// z: n x d, y: n values of moderate size, n > 0. The variances are fitted. noise: its standard
  /// deviation as others estimate it, or 0: then the values are taken for exact until they say
  /// otherwise.
  /// doubts: variances by which single values are known worse, n; empty: by none.
  TaylorModel(RowMatrix z, Eigen::VectorXd y, double noise = 0, Eigen::VectorXd doubts = {});

  /// Takes a point as answered by the model's mean.
  void append_pending(const Eigen::VectorXd& z);

  struct Prediction {
    double mean = 0, variance = 0;               ///< of the polynomial, without remainder and noise
    Eigen::VectorXd mean_slope, variance_slope;  ///< empty unless asked for
  };
  Prediction predict(const Eigen::VectorXd& z, bool with_slopes) const;

  /// Variance of what is neither polynomial nor remainder.
  double noise() const { return variances_[kNoise]; }

  /// Log posterior of the variances given their logarithms, and its gradient by these (may be
  /// null): what the constructor maximises.
  static constexpr std::size_t kBowl = kTaylorOrders, kRemainder = kBowl + 1,
                               kNoise = kRemainder + 1, kVariances = kNoise + 1;
  using Variances = std::array<double, kVariances>;
  double log_posterior(const Variances& logs, Eigen::VectorXd* gradient) const;

 private:
  void fit();
  void condition();
  RowMatrix covariance(const Variances& variances) const;
  Variances slopes_by_variances(const RowMatrix& alpha, const RowMatrix& inverse) const;
  double kernel(const Variances& variances, double product, double left, double right) const;

  RowMatrix z_, products_;  ///< n x d; z z^T
  Eigen::VectorXd squares_, y_, doubts_;
  Variances variances_ = {};
  std::array<LogPrior, kVariances> priors_;
  GrowingFactor factor_;
  Eigen::VectorXd alpha_;  ///< of the values; none for pending points, whose weights are zero
};

}  // namespace betatune
