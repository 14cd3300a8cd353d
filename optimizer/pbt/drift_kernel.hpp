#pragma once
/// The covariance of a function of a place that drifts with time: what was seen long ago says less
/// of now. Of population-based bandits (PB2), after Bogunovic et al. 2016.

#include <Eigen/Core>

#include "optimizer/gp/marginal_likelihood.hpp"

namespace betatune {

/// Points of a process, and when they were looked at.
struct TimedFeatures {
  RowMatrix features;     ///< FeatureMap::size() x n
  Eigen::VectorXd times;  ///< n; what one unit of time is, the forgetting is of

  Eigen::Index size() const { return times.size(); }
};

/// Of a Gaussian process with zero mean, for standardized outputs.
struct DriftHyperparameters {
  Hyperparameters place;    ///< length-scales, noise, amplitude
  double forgetting = 0.1;  ///< epsilon in (0, 1): what one unit of time takes of the covariance

  /// As a point of the optimization: the logarithms of the length-scales, the noise, the amplitude
  /// and the rate -log(1 - epsilon) / 2 at which the covariance falls.
  Eigen::VectorXd to_logs() const;
  static DriftHyperparameters from_logs(const Eigen::VectorXd& logs);
  double rate() const;
};

/// k = amplitude exp(-1/2 sum_c D_c / l_c^2) (1 - epsilon)^(|t - t'| / 2), D_c the squared distance
/// in column c (see FeatureMap). Without noise.
/// lower     entries right of the diagonal of the last a.size() columns are left 0
/// returns   a.size() x b.size()
/// source    Parker-Holder et al. 2020, arXiv:2002.02518; theirs has one length-scale for all
///           columns. Known answers: tests/unit/optimizer/pb2_test.cpp
RowMatrix drift_kernel(const FeatureMap& map, const DriftHyperparameters& at,
                       const TimedFeatures& a, const TimedFeatures& b, bool lower);

/// What hyper-parameters are fitted to. It is referred to and must outlive this.
struct DriftData {
  const FeatureMap& map;
  const TimedFeatures& points;
  const Eigen::VectorXd& y;  ///< standardized, one per point
};

/// log p(y | hyper-parameters) in nats.
/// gradient  null, or overwritten: by to_logs()
double drift_log_likelihood(const DriftData& data, const DriftHyperparameters& at,
                            Eigen::VectorXd* gradient);

/// log p(hyper-parameters): those of a place as everywhere (log_prior()), the rate LogNormal about
/// an epsilon of 0.1, where the authors' fit begins, with a deviation of 1.
/// gradient  null, or overwritten: by to_logs()
double drift_log_prior(const DriftHyperparameters& at, Eigen::VectorXd* gradient);

/// The maximum a posteriori from the most probable of a few starts, with epsilon in [0.001, 0.5]
/// and the others in the bounds that they have everywhere. A function of the data alone.
DriftHyperparameters fit_drift(const DriftData& data);

}  // namespace betatune
