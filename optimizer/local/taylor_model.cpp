#include "optimizer/local/taylor_model.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "optimizer/numerics/box_lbfgs.hpp"

namespace betatune {
namespace {

constexpr double kConstant = 25;  ///< variance of the value at the centre
constexpr double kPendingNoise = 1e-8;
constexpr double kKnownNoise = 1;  ///< deviation of the log variance where others estimate it

/// Of the logarithms of variances, for values of about one within the trust region. Functions are
/// taken for smooth and exact until their values say otherwise.
constexpr std::array<LogPrior, TaylorModel::kVariances> kPriors = {{
    {0, 2.5, -20, 12},  // slope
    {-1, 3, -20, 12},   // curvature
    {-3, 3, -25, 12},   // third order
    {-5, 3, -25, 12},   // fourth order
    {-1, 3, -20, 12},   // bowl
    {-4, 4, -28, 12},   // remainder
    {-18, 4, -25, 2},   // noise
}};

/// The first term that the polynomial lacks is of fifth order.
double remainder(double square) {
  return square * square * square * square * square;
}

TaylorModel::Variances from(const Eigen::VectorXd& logs) {
  TaylorModel::Variances out;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = logs[static_cast<Eigen::Index>(i)];
  return out;
}

TaylorModel::Variances exponentials(const TaylorModel::Variances& logs) {
  TaylorModel::Variances out;
  std::transform(logs.begin(), logs.end(), out.begin(), [](double each) { return std::exp(each); });
  return out;
}

/// Row by row, each sum in ascending order: the same bits on every machine.
double product(const Eigen::Ref<const Eigen::RowVectorXd>& a,
               const Eigen::Ref<const Eigen::RowVectorXd>& b) {
  double sum = 0;
  for (Eigen::Index k = 0; k < a.size(); ++k) sum += a[k] * b[k];
  return sum;
}

}  // namespace

TaylorModel::TaylorModel(RowMatrix z, Eigen::VectorXd y, double noise, Eigen::VectorXd doubts)
    : z_(std::move(z)), y_(std::move(y)), doubts_(std::move(doubts)), priors_(kPriors) {
  if (noise > 0) {
    LogPrior& prior = priors_[kNoise];
    prior.mean = std::clamp(2 * std::log(noise), prior.low, prior.high);
    prior.deviation = kKnownNoise;
  }
  const Eigen::Index n = z_.rows();
  products_.resize(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) {
      products_(i, j) = products_(j, i) = product(z_.row(i), z_.row(j));
    }
  }
  squares_ = products_.diagonal();
  fit();
  condition();
}

double TaylorModel::kernel(const Variances& v, double p, double left, double right) const {
  return kConstant + p * (v[0] + p * (v[1] + p * (v[2] + p * v[3]))) + v[kBowl] * left * right;
}

RowMatrix TaylorModel::covariance(const Variances& v) const {
  const Eigen::Index n = y_.size();
  RowMatrix k(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    double* const row = k.data() + i * n;
    const double* const p = products_.data() + i * n;
    const double left = v[kBowl] * squares_[i];
    for (Eigen::Index j = 0; j <= i; ++j) {
      row[j] = kConstant + p[j] * (v[0] + p[j] * (v[1] + p[j] * (v[2] + p[j] * v[3]))) +
               left * squares_.data()[j];
    }
    row[i] += v[kNoise] + v[kRemainder] * remainder(squares_[i]);
    if (doubts_.size() > 0) row[i] += doubts_[i];
  }
  return k;
}

/// Half the trace of (alpha alpha^T - inverse) with the derivative of the covariance by each
/// variance.
TaylorModel::Variances TaylorModel::slopes_by_variances(const RowMatrix& alpha,
                                                        const RowMatrix& inverse) const {
  const Eigen::Index n = y_.size();
  Variances sums = {};
  // One accumulator per column, which the compiler can keep in vectors; summed up at the end.
  std::array<Eigen::VectorXd, kBowl + 1> columns;
  columns.fill(Eigen::VectorXd::Zero(n));
  for (Eigen::Index i = 0; i < n; ++i) {
    const double* const p = products_.data() + i * n;
    const double* const h = inverse.data() + i * n;
    const double own = 0.5 * (alpha(i, 0) * alpha(i, 0) - h[i]);
    sums[kRemainder] += own * remainder(squares_[i]);
    sums[kNoise] += own;
    double power = own;
    for (std::size_t k = 0; k < kTaylorOrders; ++k) sums[k] += power *= p[i];
    sums[kBowl] += own * squares_[i] * squares_[i];
    const double a = alpha(i, 0), square = squares_[i];
    const double *const weights = alpha.data(), *const squares = squares_.data();
    double *const c1 = columns[0].data(), *const c2 = columns[1].data(),
                  *const c3 = columns[2].data(), *const c4 = columns[3].data(),
                  *const bowl = columns[kBowl].data();
#pragma GCC ivdep
    for (Eigen::Index j = 0; j < i; ++j) {
      const double b1 = (a * weights[j] - h[j]) * p[j];
      const double b2 = b1 * p[j], b3 = b2 * p[j];
      c1[j] += b1;
      c2[j] += b2;
      c3[j] += b3;
      c4[j] += b3 * p[j];
      bowl[j] += (a * weights[j] - h[j]) * square * squares[j];
    }
  }
  for (std::size_t k = 0; k < columns.size(); ++k) {
    for (const double each : columns[k]) sums[k] += each;
  }
  return sums;
}

double TaylorModel::log_posterior(const Variances& logs, Eigen::VectorXd* gradient) const {
  const Eigen::Index n = y_.size();
  const Variances v = exponentials(logs);
  GrowingFactor factor;
  factor.append(covariance(v));
  RowMatrix white, alpha;
  factor.whiten(y_, white);
  double value = -0.5 * white.squaredNorm() - factor.half_log_determinant() -
                 0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  Variances sums = {};
  if (gradient != nullptr) {
    factor.whiten_transposed(white, alpha);
    sums = slopes_by_variances(alpha, factor.inverse());
    gradient->resize(kVariances);
  }
  for (std::size_t i = 0; i < kVariances; ++i) {
    const double t = (logs[i] - priors_[i].mean) / priors_[i].deviation;
    value -= 0.5 * t * t;
    if (gradient != nullptr) {
      (*gradient)[static_cast<Eigen::Index>(i)] = v[i] * sums[i] - t / priors_[i].deviation;
    }
  }
  return value;
}

void TaylorModel::fit() {
  constexpr auto kSize = static_cast<Eigen::Index>(kVariances);
  Eigen::VectorXd start(kSize), low(kSize), high(kSize);
  for (std::size_t i = 0; i < kVariances; ++i) {
    const auto k = static_cast<Eigen::Index>(i);
    start[k] = priors_[i].mean;
    low[k] = priors_[i].low;
    high[k] = priors_[i].high;
  }
  BoxLbfgsOptions options;
  options.iterations_max = 40;
  options.evaluations_max = 50;
  options.gradient_tolerance = 1e-2;
  options.value_tolerance = 1e-4;
  options.first_step = 1;
  BoxLbfgs run(start, low, high, options);
  while (!run.done()) {
    Eigen::VectorXd gradient;
    const double value = log_posterior(from(run.wanted()), &gradient);
    run.tell(-value, -gradient);
  }
  variances_ = exponentials(from(run.best()));
}

void TaylorModel::condition() {
  factor_.append(covariance(variances_));
  RowMatrix white, alpha;
  factor_.whiten(y_, white);
  factor_.whiten_transposed(white, alpha);
  alpha_ = alpha;
}

void TaylorModel::append_pending(const Eigen::VectorXd& z) {
  const Eigen::Index n = z_.rows();
  z_.conservativeResize(n + 1, Eigen::NoChange);
  z_.row(n) = z.transpose();
  squares_.conservativeResize(n + 1);
  squares_[n] = product(z_.row(n), z_.row(n));
  RowMatrix row(1, n + 1);
  for (Eigen::Index i = 0; i <= n; ++i) {
    row(0, i) = kernel(variances_, product(z_.row(i), z_.row(n)), squares_[i], squares_[n]);
  }
  row(0, n) += kPendingNoise;
  factor_.append(row);
}

TaylorModel::Prediction TaylorModel::predict(const Eigen::VectorXd& z, bool with_slopes) const {
  const Eigen::Index n = z_.rows();
  const double square = product(z.transpose(), z.transpose());
  Eigen::VectorXd p(n);
  RowMatrix k(n, 1), white, weights;
  for (Eigen::Index i = 0; i < n; ++i) {
    p[i] = product(z_.row(i), z.transpose());
    k(i, 0) = kernel(variances_, p[i], square, squares_[i]);
  }
  factor_.whiten(k, white);
  Prediction out;
  double explained = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (i < alpha_.size()) out.mean += alpha_[i] * k(i, 0);
    explained += white(i, 0) * white(i, 0);
  }
  const double own = kernel(variances_, square, square, square);
  out.variance = std::max(own - explained, 1e-14 * own);
  if (!with_slopes) return out;

  factor_.whiten_transposed(white, weights);
  const auto& [a1, a2, a3, a4, bowl, far, noise] = variances_;
  out.mean_slope = Eigen::VectorXd::Zero(z.size());
  out.variance_slope =
      (2 * a1 + square * (4 * (a2 + bowl) + square * (6 * a3 + square * 8 * a4))) * z;
  for (Eigen::Index i = 0; i < n; ++i) {
    const double along = a1 + p[i] * (2 * a2 + p[i] * (3 * a3 + p[i] * 4 * a4));
    const double round = 2 * bowl * squares_[i];
    const double alpha = i < alpha_.size() ? alpha_[i] : 0;
    for (Eigen::Index j = 0; j < z.size(); ++j) {
      const double slope = along * z_(i, j) + round * z[j];
      out.mean_slope[j] += alpha * slope;
      out.variance_slope[j] -= 2 * weights(i, 0) * slope;
    }
  }
  return out;
}

}  // namespace betatune
