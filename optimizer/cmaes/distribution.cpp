#include "optimizer/cmaes/distribution.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/symmetric_eigen.hpp"
#include "searchspaces/result.hpp"

namespace betatune {
namespace {

using Index = Eigen::Index;

/// A sum in ascending order: Eigen's own depends on the width of vectors.
double dot(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  double sum = 0;
  for (Index i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Negative weights add up to what keeps the covariance positive definite (Hansen's eqs. 50 - 53).
void scale_weights(Eigen::VectorXd& weights, Index parents, double dims, double c_1, double c_mu,
                   double mu_eff) {
  double positive = 0, negative = 0, squares = 0;
  for (Index i = 0; i < weights.size(); ++i) {
    if (weights[i] > 0) positive += weights[i];
    if (weights[i] < 0) negative -= weights[i];
    if (i >= parents) squares += weights[i] * weights[i];
  }
  double below = 0;  // the sum of all but the parents' weights
  for (Index i = parents; i < weights.size(); ++i) below += weights[i];
  const double mu_eff_below = squares > 0 ? below * below / squares : 0;
  const double alpha = std::min(
      {1 + c_1 / c_mu, 1 + 2 * mu_eff_below / (mu_eff + 2), (1 - c_1 - c_mu) / (dims * c_mu)});
  for (double& weight : weights) {
    weight *= weight >= 0 ? 1 / positive : alpha / negative;
  }
}

}  // namespace

int cma_population(Index dims) {
  return 4 + static_cast<int>(std::floor(3 * std::log(static_cast<double>(dims))));
}

CmaConstants cma_constants(Index dims, Index population) {
  BETATUNE_ASSERT(dims >= 1 && population >= 2);
  const auto d = static_cast<double>(dims);
  CmaConstants out;
  out.parents = population / 2;
  out.weights.resize(population);
  double sum = 0, squares = 0;
  for (Index i = 0; i < population; ++i) {
    out.weights[i] =
        std::log((static_cast<double>(population) + 1) / 2) - std::log(static_cast<double>(i) + 1);
    if (i >= out.parents) continue;
    sum += out.weights[i];
    squares += out.weights[i] * out.weights[i];
  }
  const double mu = out.mu_eff = sum * sum / squares;
  out.c_1 = 2 / ((d + 1.3) * (d + 1.3) + mu);
  // 1e-8 keeps a rest of the old covariance in very large generations.
  out.c_mu = std::min(1 - out.c_1 - 1e-8, 2 * (mu - 2 + 1 / mu) / ((d + 2) * (d + 2) + mu));
  // Two points have one parent, and then no part in the covariance but their path.
  out.c_mu = std::max(out.c_mu, 1e-12);
  scale_weights(out.weights, out.parents, d, out.c_1, out.c_mu, mu);
  out.c_sigma = (mu + 2) / (d + mu + 5);
  out.d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mu - 1) / (d + 1)) - 1) + out.c_sigma;
  out.c_c = (4 + mu / d) / (d + 4 + 2 * mu / d);
  out.chi = std::sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
  return out;
}

CmaDistribution::CmaDistribution(Eigen::VectorXd mean, double sigma)
    : mean_(std::move(mean)),
      sigma_(sigma),
      covariance_(RowMatrix::Identity(mean_.size(), mean_.size())),
      path_sigma_(Eigen::VectorXd::Zero(mean_.size())),
      path_c_(Eigen::VectorXd::Zero(mean_.size())) {
  decompose();
}

double CmaDistribution::deviation(Index j) const {
  return sigma_ * std::sqrt(covariance_(j, j));
}
double CmaDistribution::largest_deviation() const {
  double largest = 0;
  for (Index j = 0; j < dims(); ++j) largest = std::max(largest, deviation(j));
  return largest;
}
double CmaDistribution::condition() const {
  return lengths_.maxCoeff() / lengths_.minCoeff();
}

void CmaDistribution::decompose() {
  constexpr double kSmallest = 1e-20;  // rounding may leave an eigenvalue of zero or less
  SymmetricEigen eigen = symmetric_eigen(covariance_);
  axes_ = std::move(eigen.vectors);
  lengths_ = eigen.values;
  for (double& each : lengths_) each = std::sqrt(std::max(each, kSmallest));
}

Eigen::VectorXd CmaDistribution::draw(Stream& stream) const {
  Eigen::VectorXd step = Eigen::VectorXd::Zero(dims());
  for (Index k = 0; k < dims(); ++k) {
    const double along = lengths_[k] * stream.normal();
    for (Index j = 0; j < dims(); ++j) step[j] += along * axes_(k, j);
  }
  return mean_ + sigma_ * step;
}

/// C^(-1/2) step.
Eigen::VectorXd CmaDistribution::whiten(const Eigen::VectorXd& step) const {
  Eigen::VectorXd out = Eigen::VectorXd::Zero(dims());
  for (Index k = 0; k < dims(); ++k) {
    double along = 0;
    for (Index j = 0; j < dims(); ++j) along += axes_(k, j) * step[j];
    along /= lengths_[k];
    for (Index j = 0; j < dims(); ++j) out[j] += along * axes_(k, j);
  }
  return out;
}

void CmaDistribution::update(const RowMatrix& points, const RowMatrix& moves) {
  const CmaConstants of = cma_constants(dims(), points.rows());
  ++generation_;
  RowMatrix steps(points.rows(), dims());
  for (Index i = 0; i < steps.rows(); ++i) {
    for (Index j = 0; j < dims(); ++j) steps(i, j) = (points(i, j) - mean_[j]) / sigma_;
  }
  Eigen::VectorXd mean_step = Eigen::VectorXd::Zero(dims());
  for (Index i = 0; i < of.parents; ++i) {
    for (Index j = 0; j < dims(); ++j) {
      const double part = of.weights[i] * steps(i, j);
      mean_step[j] += part;
      if (moves(i, j) != 0) mean_[j] += sigma_ * part;
    }
  }
  const double keep = 1 - of.c_sigma;
  path_sigma_ =
      keep * path_sigma_ + std::sqrt(of.c_sigma * (2 - of.c_sigma) * of.mu_eff) * whiten(mean_step);
  const double length = std::sqrt(dot(path_sigma_, path_sigma_));
  // A path that is too long is not to widen the covariance as well (Hansen's h_sigma).
  const double usual = length / std::sqrt(1 - std::pow(keep, 2 * (generation_ + 1)));
  const bool stalled = usual >= (1.4 + 2 / (static_cast<double>(dims()) + 1)) * of.chi;
  path_c_ *= 1 - of.c_c;
  if (!stalled) path_c_ += std::sqrt(of.c_c * (2 - of.c_c) * of.mu_eff) * mean_step;
  update_covariance(of, steps, stalled);
  sigma_ *= std::exp(of.c_sigma / of.d_sigma * (length / of.chi - 1));
  decompose();
}

void CmaDistribution::update_covariance(const CmaConstants& of, const RowMatrix& steps,
                                        bool stalled) {
  double weights = 0;
  Eigen::VectorXd by_point = of.weights;
  for (Index i = 0; i < steps.rows(); ++i) {
    weights += of.weights[i];
    if (of.weights[i] >= 0) continue;
    // However far a bad point lies, it takes away no more than a point at the usual distance.
    const Eigen::VectorXd white = whiten(steps.row(i));
    by_point[i] *= static_cast<double>(dims()) / (dot(white, white) + 1e-8);
  }
  const double lost = stalled ? of.c_c * (2 - of.c_c) : 0;
  covariance_ *= 1 + of.c_1 * lost - of.c_1 - of.c_mu * weights;
  for (Index j = 0; j < dims(); ++j) {
    for (Index k = 0; k <= j; ++k) {
      double sum = 0;
      for (Index i = 0; i < steps.rows(); ++i) sum += by_point[i] * steps(i, j) * steps(i, k);
      covariance_(j, k) += of.c_1 * path_c_[j] * path_c_[k] + of.c_mu * sum;
      covariance_(k, j) = covariance_(j, k);
    }
  }
}

}  // namespace betatune
