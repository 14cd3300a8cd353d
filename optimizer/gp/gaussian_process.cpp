#include "optimizer/gp/gaussian_process.hpp"

#include <algorithm>
#include <utility>

#include "optimizer/numerics/product.hpp"
#include "searchspaces/result.hpp"

namespace betatune {
namespace {

constexpr double kLeastVariance = 1e-12;
constexpr double kPendingNoise = 1e-6;  ///< enough for two of them in one place

}  // namespace

GaussianProcess::GaussianProcess(FeatureMap map, Hyperparameters hyperparameters)
    : map_(std::move(map)),
      hyperparameters_(std::move(hyperparameters)),
      features_(map_.size(), 0) {}

Eigen::VectorXd GaussianProcess::lengthscales_at(const Eigen::VectorXd& point) const {
  Eigen::VectorXd out = hyperparameters_.lengthscales;
  for (Eigen::Index j = 0; j < out.size(); ++j) {
    if (is_inactive(point[j])) continue;
    out[j] /= map_.warps()[static_cast<std::size_t>(j)].slope(point[j]);
  }
  return out;
}

void GaussianProcess::truncate(Eigen::Index count) {
  BETATUNE_ASSERT(count <= size());
  factor_.truncate(static_cast<std::size_t>(count));
  features_.conservativeResize(Eigen::NoChange, count);
  noise_.conservativeResize(count);
}

void GaussianProcess::append(const RowMatrix& features, const Eigen::VectorXd& doubts) {
  Eigen::VectorXd noise = Eigen::VectorXd::Constant(features.cols(), hyperparameters_.noise);
  if (doubts.size() > 0) noise += doubts;
  append_with(features, noise);
}

void GaussianProcess::append_pending(const RowMatrix& features) {
  append_with(features, Eigen::VectorXd::Constant(features.cols(), kPendingNoise));
}

void GaussianProcess::append_with(const RowMatrix& features, const Eigen::VectorXd& noise) {
  if (features.cols() == 0) return;
  const Eigen::Index before = size();
  features_.conservativeResize(Eigen::NoChange, before + features.cols());
  features_.rightCols(features.cols()) = features;
  RowMatrix rows;
  map_.kernel(hyperparameters_.lengthscales, features, features_, true, rows, nullptr);
  rows *= hyperparameters_.amplitude;
  for (Eigen::Index i = 0; i < rows.rows(); ++i) rows(i, before + i) += noise[i];
  factor_.append(rows);
  noise_.conservativeResize(size());
  noise_.tail(features.cols()) = noise;
}

void GaussianProcess::set_outputs(const Eigen::VectorXd& y) {
  BETATUNE_ASSERT(y.size() == size());
  base_ = Eigen::VectorXd::Zero(size());
  if (mean_ != nullptr) base_ = mean_->value(features_, nullptr);
  y_ = y - base_;
  RowMatrix white, alpha;
  factor_.whiten(y_, white);
  factor_.whiten_transposed(white, alpha);
  alpha_ = alpha;
}

Eigen::VectorXd GaussianProcess::fitted() const {
  return base_ + y_ - noise_.head(alpha_.size()).cwiseProduct(alpha_);
}

Eigen::VectorXd GaussianProcess::variance_bound(const RowMatrix& kernel) const {
  const double amplitude = hyperparameters_.amplitude;
  Eigen::ArrayXd explained = Eigen::ArrayXd::Zero(kernel.cols());
  for (Eigen::Index i = 0; i < size(); ++i) {
    const double weight = amplitude * amplitude / (amplitude + noise_[i]);
    explained = explained.max(weight * kernel.row(i).transpose().array().square());
  }
  return (amplitude - explained).max(kLeastVariance).matrix();
}

void GaussianProcess::screen(const RowMatrix& features, Eigen::VectorXd& mean,
                             Eigen::VectorXd& variance) const {
  RowMatrix k;
  map_.kernel(hyperparameters_.lengthscales, features_, features, false, k, nullptr);
  mean = Eigen::VectorXd::Zero(features.cols());
  if (mean_ != nullptr) mean = mean_->value(features, nullptr);
  for (Eigen::Index i = 0; i < alpha_.size(); ++i) {
    mean += hyperparameters_.amplitude * alpha_[i] * k.row(i).transpose();
  }
  variance = variance_bound(k);
}

void GaussianProcess::screen(const RowMatrix& features, const RowMatrix& weights, RowMatrix& means,
                             Eigen::VectorXd& variance) const {
  RowMatrix k;
  map_.kernel(hyperparameters_.lengthscales, features_, features, false, k, nullptr);
  variance = variance_bound(k);
  k *= hyperparameters_.amplitude;
  means = product_of_transposed(k, weights);
  if (mean_ != nullptr) means.colwise() += mean_->value(features, nullptr);
}

RowMatrix GaussianProcess::points_without_outputs() const {
  return features_.rightCols(size() - y_.size());
}

RowMatrix GaussianProcess::draw_weights(const RowMatrix& normals) const {
  const Eigen::Index known = y_.size();
  BETATUNE_ASSERT(normals.rows() == size() - known);
  RowMatrix outputs = RowMatrix::Zero(size(), 1), white, weights;
  outputs.topRows(known) = y_;
  factor_.whiten(outputs, white);
  RowMatrix drawn(size(), normals.cols());
  drawn.topRows(known) = white.topRows(known).replicate(1, normals.cols());
  // A point given those before it: its mean and a normal share that they leave, which is L's pivot.
  drawn.bottomRows(normals.rows()) = normals;
  factor_.whiten_transposed(drawn, weights);
  return weights;
}

Projection GaussianProcess::project(const RowMatrix& features, bool with_slopes) const {
  Projection out;
  const Eigen::Index m = features.cols();
  map_.kernel(hyperparameters_.lengthscales, features_, features, false, out.kernel,
              with_slopes ? &out.slope : nullptr);
  const double amplitude = hyperparameters_.amplitude;
  out.kernel *= amplitude;
  if (with_slopes) out.slope *= amplitude;
  if (with_slopes) {
    factor_.solve(out.kernel, out.white, out.solved);
  } else {
    factor_.whiten(out.kernel, out.white);
  }
  out.base = Eigen::VectorXd::Zero(m);
  if (mean_ != nullptr) out.base = mean_->value(features, with_slopes ? &out.base_slope : nullptr);
  Eigen::ArrayXd explained = Eigen::ArrayXd::Zero(m);
  for (Eigen::Index i = 0; i < size(); ++i) {
    explained += out.white.row(i).transpose().array().square();
  }
  out.variance = (amplitude - explained).max(kLeastVariance).matrix();
  return out;
}

GaussianProcess::Slopes GaussianProcess::slopes(const RowMatrix& features, const Projection& at,
                                                const RowMatrix& weights) const {
  // d k_ic / d f = 2 w slope_ic (f_c - f_i), so both slopes are 2 w (f sum_i q_i - sum_i q_i f_i)
  // with q_i = weight_i slope_i for the mean and -2 (K^-1 k)_i slope_i for the variance.
  const Eigen::Index m = features.cols();
  RowMatrix q(size(), 2 * m);
  q.leftCols(m) = weights.cwiseProduct(at.slope);
  q.rightCols(m) = -2 * at.solved.cwiseProduct(at.slope);
  const RowMatrix sums = product(features_, q);
  const Eigen::RowVectorXd totals = q.colwise().sum();
  Slopes out{RowMatrix(map_.size(), m), RowMatrix(map_.size(), m)};
  for (Eigen::Index f = 0; f < map_.size(); ++f) {
    const double length =
        hyperparameters_.lengthscales[map_.features()[static_cast<std::size_t>(f)].column];
    const double w = 2 / (length * length);
    out.mean.row(f) = w * (features.row(f).cwiseProduct(totals.head(m)) - sums.row(f).head(m));
    out.variance.row(f) = w * (features.row(f).cwiseProduct(totals.tail(m)) - sums.row(f).tail(m));
  }
  return out;
}

Prediction GaussianProcess::predict(const RowMatrix& features, bool with_slopes) const {
  const Projection at = project(features, with_slopes);
  Prediction out{at.base, at.variance, {}, {}};
  for (Eigen::Index i = 0; i < alpha_.size(); ++i) {
    out.mean += alpha_[i] * at.kernel.row(i).transpose();
  }
  if (!with_slopes) return out;
  RowMatrix weights = RowMatrix::Zero(size(), features.cols());
  weights.topRows(alpha_.size()).colwise() = alpha_;
  Slopes slope = slopes(features, at, weights);
  out.mean_slope = std::move(slope.mean);
  if (mean_ != nullptr) out.mean_slope += at.base_slope;
  out.variance_slope = std::move(slope.variance);
  return out;
}

}  // namespace betatune
