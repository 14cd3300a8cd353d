#pragma once
/// The models of several objectives, and the front that a new point is to improve.

#include <vector>

#include "optimizer/gp/hypervolume_improvement.hpp"

namespace betatune {

/// The front is that of the models' means: without noise they are the results, and with noise a
/// lucky result is no front to beat. source: Daulton et al. 2021, arXiv:2105.08195, integrate over
/// what is not known of the front; here its means stand for it
class FrontModel {
 public:
  /// gps: one per objective, must outlive it. reference: in their outputs.
  FrontModel(std::vector<GaussianProcess*> gps, Eigen::VectorXd reference)
      : gps_(std::move(gps)),
        reference_(std::move(reference)),
        front_(0, static_cast<Eigen::Index>(gps_.size())) {}

  /// Takes the means at those of the points (encoded, one a row) that are `allowed` into the front.
  void add(const RowMatrix& points, const std::vector<bool>& allowed);
  /// Points that count from now on as answered by their means.
  void pend(const RowMatrix& points);
  HypervolumeImprovement improvement() const;

 private:
  std::vector<GaussianProcess*> gps_;
  Eigen::VectorXd reference_;
  RowMatrix front_;
};

}  // namespace betatune
