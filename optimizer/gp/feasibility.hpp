#pragma once
/// Where trials fail by their own doing (out of memory, diverged, a crash), learned from where they
/// did, so that a search stays away from there without a wall: the probability of success, which
/// multiplies what a point promises.

#include <memory>
#include <vector>

#include "optimizer/gp/acquisition.hpp"
#include "optimizer/gp/observations.hpp"

namespace betatune {

/// A Gaussian process over the outcomes (success +1, failure -1) with a probit link on its
/// posterior: p = Phi((shift + mean) / sqrt(0.05 + variance)). Far from all results p is about 0.7:
/// a study that has seen a few failures still looks elsewhere. Few and cheap: hyper-parameters are
/// fitted to the outcomes at every call, from at most 200 of them.
class Feasibility : public Acquisition {
 public:
  /// Nothing if no trial failed, or none succeeded.
  static std::unique_ptr<Feasibility> learn(const FeatureMap& map, const Observations& data);

  /// log p; errors none.
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  /// 0: a probability is at most 1.
  Eigen::VectorXd bound(const RowMatrix& points) const override {
    return Eigen::VectorXd::Zero(points.rows());
  }

 private:
  explicit Feasibility(GaussianProcess gp) : gp_(std::move(gp)) {}
  GaussianProcess gp_;
};

}  // namespace betatune
