#include "optimizer/gp/marginal_likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "optimizer/numerics/box_lbfgs.hpp"
#include "optimizer/numerics/product.hpp"

namespace betatune {
namespace {

constexpr double kShortest = 0.025, kLongest = 1000;
constexpr double kLeastNoise = 1e-6, kMostNoise = 2;
constexpr double kLeastAmplitude = 0.05, kMostAmplitude = 100;
constexpr double kAmplitudeMu = 1, kAmplitudeSigma = 1;
constexpr double kNoiseMu = -6, kNoiseSigma = 2;
constexpr double kWarpVariance = 0.75;
constexpr double kMostWarp = 2;  ///< of the logarithms of a and b
constexpr int kWarpEvaluations = 60, kFirstLook = 12;

double lengthscale_mu(Eigen::Index columns) {
  return std::numbers::sqrt2 +
         0.5 * std::log(static_cast<double>(std::max<Eigen::Index>(columns, 1)));
}
const double kLengthscaleSigma = std::numbers::sqrt3;

/// log of a LogNormal density at exp(x), and its slope by x.
double log_normal_density(double x, double mu, double sigma, double* slope) {
  const double z = (x - mu) / sigma;
  *slope = -z / sigma - 1;
  return -0.5 * z * z - x - std::log(sigma) - 0.5 * std::log(2 * std::numbers::pi);
}

/// Sums over pairs i > j of h_ij delta_ij for each column, delta the squared distance in it.
/// `h` is symmetric with a zero diagonal. moves: null, or overwritten with the sums over j of h_ij
/// (f_i - f_j) for the features that are numbers, 0 for the others, map.size() x n.
Eigen::VectorXd weigh_distances(const FeatureMap& map, const RowMatrix& features,
                                const RowMatrix& h, RowMatrix* moves) {
  const Eigen::Index n = features.cols();
  // For numbers, sum_ij h_ij (f_i - f_j)^2 / 2 = sum_i f_i^2 (h 1)_i - f^T h f.
  RowMatrix right(n, map.size() + 1);
  right << features.transpose(), Eigen::VectorXd::Ones(n);
  const RowMatrix sums = product(h, right);
  Eigen::VectorXd out = Eigen::VectorXd::Zero(map.columns());
  if (moves != nullptr) *moves = RowMatrix::Zero(map.size(), n);
  for (Eigen::Index f = 0; f < map.size(); ++f) {
    const Feature& feature = map.features()[static_cast<std::size_t>(f)];
    double sum = 0;
    for (Eigen::Index i = 0; i < n; ++i) {
      const double x = features(f, i);
      if (feature.kind != Feature::Kind::choice) {
        const double move = x * sums(i, map.size()) - sums(i, f);
        sum += x * move;
        if (moves != nullptr) (*moves)(f, i) = move;
        continue;
      }
      for (Eigen::Index j = 0; j < i; ++j) sum += h(i, j) * choice_distance(x, features(f, j));
    }
    out[feature.column] += sum;
  }
  return out;
}

/// The factor of the covariance, and with `slope` (may be null) the kernel's slope by distance.
GrowingFactor factor_of(const Training& data, const Hyperparameters& at, RowMatrix* slope) {
  RowMatrix k;
  data.map.kernel(at.lengthscales, data.features, data.features, true, k, slope);
  k *= at.amplitude;
  k.diagonal().array() += at.noise;
  if (data.doubts.size() > 0) k.diagonal() += data.doubts;
  GrowingFactor factor;
  factor.append(k);
  return factor;
}

BoxLbfgsOptions fit_options(int evaluations) {
  BoxLbfgsOptions options;
  options.iterations_max = 40;
  options.evaluations_max = evaluations;
  options.gradient_tolerance = 1e-3;
  options.value_tolerance = 1e-6;
  options.first_step = 0.5;
  return options;
}

double log_density(const GrowingFactor& factor, double white_square) {
  return -0.5 * white_square - factor.half_log_determinant() -
         0.5 * static_cast<double>(factor.size()) * std::log(2 * std::numbers::pi);
}

}  // namespace

std::vector<Fit> most_probable_starts(const Training& data, const RowMatrix& outputs) {
  const Hyperparameters mode = Hyperparameters::prior_mode(data.map.columns());
  std::vector<Fit> best(static_cast<std::size_t>(outputs.cols()),
                        {mode, -std::numeric_limits<double>::infinity()});
  for (const double stretch : {1.0, 3.0}) {
    for (const double noise : {mode.noise, 0.01, 0.3}) {
      const Hyperparameters at{stretch * mode.lengthscales, noise, 1};
      const GrowingFactor factor = factor_of(data, at, nullptr);
      RowMatrix white;
      factor.whiten(outputs, white);
      for (Eigen::Index k = 0; k < outputs.cols(); ++k) {
        const double value =
            log_density(factor, white.col(k).squaredNorm()) + log_prior(at, nullptr);
        Fit& so_far = best[static_cast<std::size_t>(k)];
        if (value > so_far.log_posterior) so_far = {at, value};
      }
    }
  }
  return best;
}

Eigen::VectorXd Hyperparameters::to_logs() const {
  Eigen::VectorXd logs(lengthscales.size() + 2);
  logs << lengthscales.array().log().matrix(), std::log(noise), std::log(amplitude);
  return logs;
}

Hyperparameters Hyperparameters::from_logs(const Eigen::VectorXd& logs) {
  const Eigen::Index d = logs.size() - 2;
  Hyperparameters out;
  out.lengthscales.resize(d);
  for (Eigen::Index j = 0; j < d; ++j) out.lengthscales[j] = std::exp(logs[j]);
  out.noise = std::exp(logs[d]);
  out.amplitude = std::exp(logs[d + 1]);
  return out;
}

Hyperparameters Hyperparameters::prior_mode(Eigen::Index columns) {
  const double mode = std::exp(lengthscale_mu(columns) - kLengthscaleSigma * kLengthscaleSigma);
  return {Eigen::VectorXd::Constant(columns, mode), std::exp(kNoiseMu - kNoiseSigma * kNoiseSigma),
          std::exp(kAmplitudeMu - kAmplitudeSigma * kAmplitudeSigma)};
}

double log_marginal_likelihood(const Training& data, const Eigen::VectorXd& y,
                               const Hyperparameters& at, Eigen::VectorXd* gradient,
                               RowMatrix* by_features) {
  const Eigen::Index n = y.size();
  RowMatrix slope, white, alpha;
  const GrowingFactor factor = factor_of(data, at, gradient == nullptr ? nullptr : &slope);
  factor.whiten(y, white);
  const double value = log_density(factor, white.squaredNorm());
  if (gradient == nullptr) return value;

  factor.whiten_transposed(white, alpha);
  RowMatrix h = factor.inverse();
  double trace = 0, doubtful = 0;  // of alpha alpha^T - K^-1, and with the doubts
  for (Eigen::Index i = 0; i < n; ++i) {
    const double own = alpha(i, 0) * alpha(i, 0) - h(i, i);
    trace += own;
    if (data.doubts.size() > 0) doubtful += data.doubts[i] * own;
    for (Eigen::Index j = 0; j < i; ++j) {
      h(i, j) = (alpha(i, 0) * alpha(j, 0) - h(i, j)) * slope(i, j);
      h(j, i) = h(i, j);
    }
    h(i, i) = 0;
  }
  const Eigen::Index d = data.map.columns();
  gradient->resize(d + 2);
  gradient->head(d) = -2 * at.amplitude *
                      weigh_distances(data.map, data.features, h, by_features).array() /
                      at.lengthscales.array().square();
  for (Eigen::Index f = 0; by_features != nullptr && f < data.map.size(); ++f) {
    const double length = at.lengthscales[data.map.features()[static_cast<std::size_t>(f)].column];
    by_features->row(f) *= 2 * at.amplitude / (length * length);
  }
  (*gradient)[d] = 0.5 * at.noise * trace;
  // The kernel alone is K - noise I - doubts, so the trace with it follows from those with these.
  (*gradient)[d + 1] =
      0.5 * (white.squaredNorm() - static_cast<double>(n)) - 0.5 * (at.noise * trace + doubtful);
  return value;
}

double log_prior(const Hyperparameters& at, Eigen::VectorXd* gradient) {
  const Eigen::Index d = at.lengthscales.size();
  Eigen::VectorXd slopes(d + 2);
  double value = log_normal_density(std::log(at.noise), kNoiseMu, kNoiseSigma, &slopes[d]);
  for (Eigen::Index j = 0; j < d; ++j) {
    value += log_normal_density(std::log(at.lengthscales[j]), lengthscale_mu(d), kLengthscaleSigma,
                                &slopes[j]);
  }
  value +=
      log_normal_density(std::log(at.amplitude), kAmplitudeMu, kAmplitudeSigma, &slopes[d + 1]);
  if (gradient != nullptr) *gradient = slopes;
  return value;
}

HyperparameterBounds hyperparameter_bounds(Eigen::Index columns) {
  HyperparameterBounds out{Eigen::VectorXd::Constant(columns + 2, std::log(kShortest)),
                           Eigen::VectorXd::Constant(columns + 2, std::log(kLongest))};
  out.lower.tail(2) << std::log(kLeastNoise), std::log(kLeastAmplitude);
  out.upper.tail(2) << std::log(kMostNoise), std::log(kMostAmplitude);
  return out;
}

Fit fit_hyperparameters(const Training& data, const Eigen::VectorXd& y,
                        const Hyperparameters& start, int evaluations) {
  const HyperparameterBounds bounds = hyperparameter_bounds(data.map.columns());
  BoxLbfgs run(start.to_logs(), bounds.lower, bounds.upper, fit_options(evaluations));
  while (!run.done()) {
    const Hyperparameters at = Hyperparameters::from_logs(run.wanted());
    Eigen::VectorXd likelihood, prior;
    const double value = log_marginal_likelihood(data, y, at, &likelihood) + log_prior(at, &prior);
    run.tell(-value, -(likelihood + prior));
  }
  return {Hyperparameters::from_logs(run.best()), -run.best_value()};
}

WarpedFit fit_with_warps(const Training& data, const RowMatrix& points, const Eigen::VectorXd& y,
                         const Fit& start, double wanted) {
  const Eigen::Index d = data.map.columns();
  const HyperparameterBounds bounds = hyperparameter_bounds(d);
  // Logarithms of the hyper-parameters, of a and of b of each column.
  Eigen::VectorXd from = Eigen::VectorXd::Zero(3 * d + 2), lower(3 * d + 2), upper(3 * d + 2);
  from.head(d + 2) = start.at.to_logs();
  lower << bounds.lower, Eigen::VectorXd::Constant(2 * d, -kMostWarp);
  upper << bounds.upper, Eigen::VectorXd::Constant(2 * d, kMostWarp);
  BoxLbfgs run(from, lower, upper, fit_options(kWarpEvaluations));
  const auto warps_at = [&](const Eigen::VectorXd& x) {
    std::vector<InputWarp> out(static_cast<std::size_t>(d));
    for (Eigen::Index j = 0; j < d; ++j) {
      out[static_cast<std::size_t>(j)] = {std::exp(x[d + 2 + j]), std::exp(x[2 * d + 2 + j])};
    }
    return out;
  };
  for (int i = 0; !run.done(); ++i) {
    if (i == kFirstLook && -run.best_value() < start.log_posterior + wanted / 4) break;
    const Eigen::VectorXd& x = run.wanted();
    const Hyperparameters at = Hyperparameters::from_logs(x.head(d + 2));
    const FeatureMap map = data.map.warped(warps_at(x));
    const RowMatrix features = map.map(points);
    Eigen::VectorXd likelihood, prior, slope(3 * d + 2);
    RowMatrix by_features;
    const Training warped{map, features, data.doubts};
    double value =
        log_marginal_likelihood(warped, y, at, &likelihood, &by_features) + log_prior(at, &prior);
    const auto logs = x.tail(2 * d);
    value -= 0.5 * logs.squaredNorm() / kWarpVariance;
    const RowMatrix by_warps = map.pull_back_to_warps(points, by_features);
    slope << likelihood + prior, by_warps.row(0).transpose(), by_warps.row(1).transpose();
    slope.tail(2 * d) -= logs / kWarpVariance;
    run.tell(-value, -slope);
  }
  return {{Hyperparameters::from_logs(run.best().head(d + 2)), -run.best_value()},
          warps_at(run.best())};
}

Fit fit_hyperparameters(const Training& data, const Eigen::VectorXd& y) {
  return fit_hyperparameters(data, y, most_probable_starts(data, y)[0].at);
}

}  // namespace betatune
