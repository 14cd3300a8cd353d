#include "optimizer/pbt/drift_kernel.hpp"

#include <cmath>
#include <limits>
#include <numbers>

#include "optimizer/numerics/box_lbfgs.hpp"
#include "optimizer/numerics/exp_of_negative.hpp"
#include "optimizer/numerics/factor.hpp"

namespace betatune {
namespace {

constexpr double kLeastForgetting = 0.001, kMostForgetting = 0.5;
constexpr double kUsualForgetting = 0.1, kRateDeviation = 1;
constexpr int kEvaluations = 40;

double rate_of(double forgetting) {
  return -0.5 * std::log1p(-forgetting);
}

BoxLbfgsOptions fit_options() {
  BoxLbfgsOptions options;
  options.evaluations_max = kEvaluations;
  options.gradient_tolerance = 1e-3;
  options.value_tolerance = 1e-6;
  options.first_step = 0.5;
  return options;
}

/// Sums over pairs i > j of g_ij times their squared distance in each column, and in time.
struct WeighedDistances {
  Eigen::VectorXd by_column;
  double by_time = 0;
};

WeighedDistances weigh(const DriftData& data, const RowMatrix& g) {
  const Eigen::Index n = data.points.size(), columns = data.map.columns();
  WeighedDistances out{Eigen::VectorXd::Zero(columns), 0};
  Eigen::VectorXd distances(n);
  for (Eigen::Index i = 1; i < n; ++i) {
    for (Eigen::Index c = 0; c < columns; ++c) {
      distances.setZero();
      data.map.add_distances(Eigen::VectorXd::Unit(columns, c), data.points.features.col(i),
                             data.points.features, i, distances.data());
      for (Eigen::Index j = 0; j < i; ++j) out.by_column[c] += g(i, j) * distances[j];
    }
    for (Eigen::Index j = 0; j < i; ++j) {
      out.by_time += g(i, j) * std::abs(data.points.times[i] - data.points.times[j]);
    }
  }
  return out;
}

double log_posterior(const DriftData& data, const DriftHyperparameters& at) {
  return drift_log_likelihood(data, at, nullptr) + drift_log_prior(at, nullptr);
}

/// Noise and short length-scales explain the same data, and gradients do not lead from one to the
/// other.
DriftHyperparameters most_probable_start(const DriftData& data) {
  const Eigen::Index columns = data.map.columns();
  DriftHyperparameters best;
  double most = -std::numeric_limits<double>::infinity();
  for (const double lengthscale : {0.2, 0.7}) {
    for (const double noise : {0.01, 0.1, 0.5}) {
      const Eigen::VectorXd lengths =
          Eigen::VectorXd::Constant(columns, lengthscale * std::sqrt(static_cast<double>(columns)));
      const DriftHyperparameters at{{lengths, noise, 1}, kUsualForgetting};
      const double value = log_posterior(data, at);
      if (value > most) most = value, best = at;
    }
  }
  return best;
}

}  // namespace

double DriftHyperparameters::rate() const {
  return rate_of(forgetting);
}

Eigen::VectorXd DriftHyperparameters::to_logs() const {
  const Eigen::VectorXd of_place = place.to_logs();
  Eigen::VectorXd logs(of_place.size() + 1);
  logs << of_place, std::log(rate());
  return logs;
}

DriftHyperparameters DriftHyperparameters::from_logs(const Eigen::VectorXd& logs) {
  const Eigen::Index last = logs.size() - 1;
  return {Hyperparameters::from_logs(logs.head(last)), -std::expm1(-2 * std::exp(logs[last]))};
}

RowMatrix drift_kernel(const FeatureMap& map, const DriftHyperparameters& at,
                       const TimedFeatures& a, const TimedFeatures& b, bool lower) {
  const Eigen::VectorXd weights = 0.5 * at.place.lengthscales.array().square().inverse();
  const double rate = at.rate();
  RowMatrix out = RowMatrix::Zero(a.size(), b.size());
  for (Eigen::Index i = 0; i < a.size(); ++i) {
    const Eigen::Index count = lower ? b.size() - a.size() + i + 1 : b.size();
    double* row = out.data() + i * b.size();
    map.add_distances(weights, a.features.col(i), b.features, count, row);
    for (Eigen::Index j = 0; j < count; ++j) {
      const double fallen = row[j] + rate * std::abs(a.times[i] - b.times[j]);
      row[j] = at.place.amplitude * exp_of_negative(-fallen);
    }
  }
  return out;
}

double drift_log_likelihood(const DriftData& data, const DriftHyperparameters& at,
                            Eigen::VectorXd* gradient) {
  const Eigen::Index n = data.points.size(), d = data.map.columns();
  const RowMatrix signal = drift_kernel(data.map, at, data.points, data.points, true);
  RowMatrix covariance = signal;
  covariance.diagonal().array() += at.place.noise;
  GrowingFactor factor;
  factor.append(covariance);
  RowMatrix white, alpha;
  factor.whiten(data.y, white);
  const double value = -0.5 * white.squaredNorm() - factor.half_log_determinant() -
                       0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  if (gradient == nullptr) return value;
  factor.whiten_transposed(white, alpha);
  // d value / d theta = tr(h dK / d theta) / 2 with h = alpha alpha^T - K^-1.
  const RowMatrix h = alpha * alpha.transpose() - factor.inverse();
  const RowMatrix g = h.cwiseProduct(signal);  // below the diagonal and on it
  const WeighedDistances sums = weigh(data, g);
  gradient->resize(d + 3);
  gradient->head(d) = sums.by_column.cwiseQuotient(at.place.lengthscales.cwiseAbs2());
  (*gradient)[d] = 0.5 * at.place.noise * h.trace();
  (*gradient)[d + 1] = g.sum() - 0.5 * g.trace();
  (*gradient)[d + 2] = -at.rate() * sums.by_time;
  return value;
}

double drift_log_prior(const DriftHyperparameters& at, Eigen::VectorXd* gradient) {
  Eigen::VectorXd of_place;
  const double z = (std::log(at.rate()) - std::log(rate_of(kUsualForgetting))) / kRateDeviation;
  const double value = log_prior(at.place, &of_place) - 0.5 * z * z - std::log(at.rate()) -
                       std::log(kRateDeviation) - 0.5 * std::log(2 * std::numbers::pi);
  if (gradient == nullptr) return value;
  gradient->resize(of_place.size() + 1);
  *gradient << of_place, -z / kRateDeviation - 1;
  return value;
}

DriftHyperparameters fit_drift(const DriftData& data) {
  const HyperparameterBounds place = hyperparameter_bounds(data.map.columns());
  Eigen::VectorXd lower(place.lower.size() + 1), upper(place.upper.size() + 1);
  lower << place.lower, std::log(rate_of(kLeastForgetting));
  upper << place.upper, std::log(rate_of(kMostForgetting));
  BoxLbfgs run(most_probable_start(data).to_logs(), lower, upper, fit_options());
  while (!run.done()) {
    const DriftHyperparameters at = DriftHyperparameters::from_logs(run.wanted());
    Eigen::VectorXd likelihood, prior;
    const double value = drift_log_likelihood(data, at, &likelihood) + drift_log_prior(at, &prior);
    run.tell(-value, -(likelihood + prior));
  }
  return DriftHyperparameters::from_logs(run.best());
}

}  // namespace betatune
