#include "optimizer/gp/improvement_over_draws.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/normal.hpp"
#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/numerics/product.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kDraws = 32;
/// Points that are predicted at once: their kernel values stay in the cache.
constexpr Eigen::Index kBatch = 128;

/// rows x kDraws; each row has one value in every kDraws-th of the normal distribution, so that few
/// draws go as far as many.
RowMatrix even_normals(Eigen::Index fixed, Eigen::Index rows, Key key) {
  RowMatrix out = RowMatrix::Zero(rows, kDraws);
  for (Eigen::Index i = fixed; i < rows; ++i) {
    Stream stream(fold_in(key, static_cast<std::uint64_t>(i - fixed)));
    const std::vector<std::size_t> order = stream.permutation(kDraws);
    for (Eigen::Index s = 0; s < kDraws; ++s) {
      const double part = static_cast<double>(order[static_cast<std::size_t>(s)]);
      out(i, s) = normal_quantile((part + 0.5) / static_cast<double>(kDraws));
    }
  }
  return out;
}

/// log of the mean of exp(logs), finite where those underflow.
double log_mean(const Eigen::VectorXd& logs) {
  const double most = logs.maxCoeff();
  return most + std::log((logs.array() - most).exp().mean());
}

}  // namespace

ImprovementOverDraws::ImprovementOverDraws(GaussianProcess gp, Eigen::Index fixed,
                                           const RowMatrix& latent, Key key)
    : gp_(std::move(gp)) {
  gp_.append_pending(latent);
  const RowMatrix unknown = gp_.points_without_outputs();
  weights_ = gp_.draw_weights(even_normals(fixed, unknown.cols(), key));
  const RowMatrix in_question = unknown.rightCols(unknown.cols() - fixed);
  RowMatrix values;
  Eigen::VectorXd unused;
  gp_.screen(in_question, weights_, values, unused);
  lowest_ = values.colwise().minCoeff().transpose();
}

Eigen::VectorXd ImprovementOverDraws::value(const RowMatrix& points, RowMatrix* gradient) const {
  if (gradient != nullptr) return value_of_batch(points, gradient);
  Eigen::VectorXd all(points.rows());
  for (Eigen::Index i = 0; i < points.rows(); i += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.rows() - i);
    all.segment(i, count) = value_of_batch(points.middleRows(i, count), nullptr);
  }
  return all;
}

Eigen::VectorXd ImprovementOverDraws::value_of_batch(const RowMatrix& points,
                                                     RowMatrix* gradient) const {
  const Eigen::Index m = points.rows();
  const RowMatrix features = gp_.map().map(points);
  const Projection at = gp_.project(features, gradient != nullptr);
  RowMatrix means = product_of_transposed(at.kernel, weights_);
  means.colwise() += at.base;
  Eigen::VectorXd out(m), logs(kDraws), by_mean(kDraws), by_deviation(m);
  RowMatrix slope_of_draw(kDraws, gradient == nullptr ? 0 : m);  // of each mean
  for (Eigen::Index i = 0; i < m; ++i) {
    const double sigma = std::sqrt(at.variance[i]);
    Eigen::VectorXd pdf(kDraws);
    for (Eigen::Index s = 0; s < kDraws; ++s) {
      const LogImprovement each = log_improvement((lowest_[s] - means(i, s)) / sigma);
      logs[s] = each.log_h;
      by_mean[s] = -each.cdf_over_h / sigma;
      pdf[s] = each.pdf_over_h;
    }
    const double log_h = log_mean(logs);
    out[i] = log_h + std::log(sigma);
    if (gradient == nullptr) continue;
    // Each draw's share of the mean.
    const Eigen::VectorXd share =
        ((logs.array() - log_h).exp() / static_cast<double>(kDraws)).matrix();
    slope_of_draw.col(i) = share.cwiseProduct(by_mean);
    by_deviation[i] = share.dot(pdf) / (2 * at.variance[i]);
  }
  if (gradient == nullptr) return out;
  const GaussianProcess::Slopes slopes = gp_.slopes(features, at, product(weights_, slope_of_draw));
  RowMatrix sum = slopes.mean;
  for (Eigen::Index i = 0; i < m; ++i) {
    sum.col(i) += by_deviation[i] * slopes.variance.col(i);
    if (at.base_slope.size() > 0) sum.col(i) += slope_of_draw.col(i).sum() * at.base_slope.col(i);
  }
  *gradient = gp_.map().pull_back(points, sum);
  return out;
}

Eigen::VectorXd ImprovementOverDraws::bound(const RowMatrix& points) const {
  Eigen::VectorXd out(points.rows()), variance, logs(kDraws);
  RowMatrix means;
  for (Eigen::Index begin = 0; begin < points.rows(); begin += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.rows() - begin);
    gp_.screen(gp_.map().map(points.middleRows(begin, count)), weights_, means, variance);
    for (Eigen::Index i = 0; i < count; ++i) {
      const double sigma = std::sqrt(variance[i]);
      for (Eigen::Index s = 0; s < kDraws; ++s) {
        logs[s] = log_improvement((lowest_[s] - means(i, s)) / sigma).log_h;
      }
      out[begin + i] = log_mean(logs) + std::log(sigma);
    }
  }
  return out;
}

}  // namespace betatune
