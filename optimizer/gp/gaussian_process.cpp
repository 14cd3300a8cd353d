#include "optimizer/gp/gaussian_process.hpp"

#include <algorithm>
#include <utility>

#include "optimizer/numerics/dense.hpp"
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

void GaussianProcess::screen(const RowMatrix& features, Eigen::VectorXd& mean,
                             Eigen::VectorXd& variance) const {
  RowMatrix k;
  map_.kernel(hyperparameters_.lengthscales, features_, features, false, k, nullptr);
  const double amplitude = hyperparameters_.amplitude;
  mean = Eigen::VectorXd::Zero(features.cols());
  if (mean_ != nullptr) mean = mean_->value(features, nullptr);
  Eigen::ArrayXd explained = Eigen::ArrayXd::Zero(features.cols());
  for (Eigen::Index i = 0; i < size(); ++i) {
    const bool pending = i >= alpha_.size();
    const double weight = amplitude * amplitude / (amplitude + noise_[i]);
    if (!pending) mean += amplitude * alpha_[i] * k.row(i).transpose();
    explained = explained.max(weight * k.row(i).transpose().array().square());
  }
  variance = (amplitude - explained).max(kLeastVariance).matrix();
}

Prediction GaussianProcess::predict(const RowMatrix& features, bool with_slopes) const {
  const Eigen::Index m = features.cols();
  RowMatrix k, slope, white;
  map_.kernel(hyperparameters_.lengthscales, features_, features, false, k,
              with_slopes ? &slope : nullptr);
  const double amplitude = hyperparameters_.amplitude;
  k *= amplitude;
  if (with_slopes) slope *= amplitude;
  factor_.whiten(k, white);
  Prediction out;
  out.mean = Eigen::VectorXd::Zero(m);
  RowMatrix base_slope;
  if (mean_ != nullptr) out.mean = mean_->value(features, with_slopes ? &base_slope : nullptr);
  Eigen::ArrayXd explained = Eigen::ArrayXd::Zero(m);
  for (Eigen::Index i = 0; i < size(); ++i) {
    if (i < alpha_.size()) out.mean += alpha_[i] * k.row(i).transpose();
    explained += white.row(i).transpose().array().square();
  }
  out.variance = (amplitude - explained).max(kLeastVariance).matrix();
  if (!with_slopes) return out;

  // d k_ic / d f = 2 w slope_ic (f_c - f_i), so both slopes are 2 w (f sum_i q_i - sum_i q_i f_i)
  // with q_i = alpha_i slope_i for the mean and -2 (K^-1 k)_i slope_i for the variance.
  RowMatrix weights;
  factor_.whiten_transposed(white, weights);
  RowMatrix q(size(), 2 * m);
  for (Eigen::Index i = 0; i < size(); ++i) {
    const double alpha = i < alpha_.size() ? alpha_[i] : 0;
    q.row(i).head(m) = alpha * slope.row(i);
    q.row(i).tail(m) = -2 * weights.row(i).cwiseProduct(slope.row(i));
  }
  RowMatrix sums = RowMatrix::Zero(map_.size(), 2 * m);
  const auto n = static_cast<std::size_t>(size());
  const auto width = static_cast<std::size_t>(2 * m);
  dense::add_product({static_cast<std::size_t>(map_.size()), width, n, features_.data(), n, 1,
                      dense::Shape::full, q.data(), width, sums.data(), width});
  const Eigen::RowVectorXd totals = q.colwise().sum();
  out.mean_slope.resize(map_.size(), m);
  out.variance_slope.resize(map_.size(), m);
  for (Eigen::Index f = 0; f < map_.size(); ++f) {
    const double length =
        hyperparameters_.lengthscales[map_.features()[static_cast<std::size_t>(f)].column];
    const double w = 2 / (length * length);
    out.mean_slope.row(f) =
        w * (features.row(f).cwiseProduct(totals.head(m)) - sums.row(f).head(m));
    out.variance_slope.row(f) =
        w * (features.row(f).cwiseProduct(totals.tail(m)) - sums.row(f).tail(m));
  }
  if (mean_ != nullptr) out.mean_slope += base_slope;
  return out;
}

}  // namespace betatune
