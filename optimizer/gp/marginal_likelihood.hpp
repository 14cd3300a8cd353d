#pragma once
/// How well hyper-parameters explain the data, and the hyper-parameters that do it best.

#include <Eigen/Core>
#include <vector>

#include "optimizer/gp/feature_map.hpp"

namespace betatune {

/// Of a Gaussian process with zero mean, for standardized outputs.
struct Hyperparameters {
  Eigen::VectorXd lengthscales;  ///< one per column
  double noise = 0.01;           ///< variance
  double amplitude = 1;          ///< variance of the function before any data

  /// As a point of the optimization: logarithms of the length-scales, the noise and the amplitude.
  Eigen::VectorXd to_logs() const;
  static Hyperparameters from_logs(const Eigen::VectorXd& logs);
  /// The prior's mode: where a fit begins, and what a model without data uses.
  static Hyperparameters prior_mode(Eigen::Index columns);
};

/// What a fit is made to. They are referred to and must outlive it.
struct Training {
  const FeatureMap& map;
  const RowMatrix& features;  ///< map.size() x n
  /// Variances by which the outputs are known worse than the noise says, n; empty: by none.
  Eigen::VectorXd doubts = {};
};

/// log p(y | hyper-parameters) in nats. y: n.
/// gradient null, or overwritten: by to_logs().
/// by_features null, or overwritten if there is a gradient: by the features, map.size() x n.
/// golden: tests/golden/gp/regression.json
double log_marginal_likelihood(const Training& data, const Eigen::VectorXd& y,
                               const Hyperparameters& at, Eigen::VectorXd* gradient,
                               RowMatrix* by_features = nullptr);

/// log p(hyper-parameters): length-scales LogNormal(sqrt 2 + ln(d)/2, sqrt 3), noise
/// LogNormal(-6, 2), amplitude LogNormal(1, 1); densities of the values themselves, as BoTorch has
/// them. The length-scales' are those of the source; it fixes the amplitude at 1 and has more
/// noise, LogNormal(-4, 1) and at least 1e-4. On smooth functions without noise regrets are 2 to 20
/// times lower with ours, on rugged and on noisy ones the same (tests/bench/gp_regret.cpp). source:
/// Hvarfner et al. 2024, arXiv:2402.02229
double log_prior(const Hyperparameters& at, Eigen::VectorXd* gradient);

struct Fit {
  Hyperparameters at;
  double log_posterior = 0;  ///< in nats
};

/// For each column of the outputs (n x any) the most probable of a few hyper-parameters from which
/// a fit may start: noise and short length-scales explain the same data, and gradients do not lead
/// from one to the other. Their posteriors tell, within a few nats, how fits would compare, for a
/// tenth of the price of one.
std::vector<Fit> most_probable_starts(const Training& data, const RowMatrix& outputs);

/// Of the logarithms, as of a fit.
struct HyperparameterBounds {
  Eigen::VectorXd lower, upper;
};
HyperparameterBounds hyperparameter_bounds(Eigen::Index columns);

/// The maximum a posteriori, from the most probable start, or from a given one: a function of the
/// data alone, so that a cold start finds what a warm one has. Bounds: length-scales in
/// [0.025, 1000], noise in [1e-6, 2], amplitude in [0.05, 100].
Fit fit_hyperparameters(const Training& data, const Eigen::VectorXd& y);
Fit fit_hyperparameters(const Training& data, const Eigen::VectorXd& y,
                        const Hyperparameters& start, int evaluations = 60);

/// The most probable hyper-parameters and warps of the numbers together. Logarithms of the warps'
/// a and b have the prior Normal(0, 0.75), whose density is counted relative to that of no warp.
/// points: n x columns, whose features (under the map without warps) are the training's.
/// wanted: what the log posterior should gain; where a first look finds less than a quarter of it,
/// that is all.
struct WarpedFit {
  Fit fit;
  std::vector<InputWarp> warps;
};
WarpedFit fit_with_warps(const Training& data, const RowMatrix& points, const Eigen::VectorXd& y,
                         const Fit& start, double wanted);

}  // namespace betatune
