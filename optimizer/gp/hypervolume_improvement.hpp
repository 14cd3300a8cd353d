#pragma once
/// What a point promises with several objectives: the hypervolume that it is expected to add.

#include <vector>

#include "optimizer/gp/acquisition.hpp"
#include "optimizer/pareto/log_ehvi.hpp"

namespace betatune {

/// Log expected hypervolume improvement under independent Gaussian processes of the objectives.
class HypervolumeImprovement : public Acquisition {
 public:
  /// gps: one per objective; must outlive it. boxes: what is open, in their outputs.
  HypervolumeImprovement(std::vector<const GaussianProcess*> gps, const Boxes& boxes)
      : gps_(std::move(gps)), ehvi_(boxes) {}
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;

 private:
  std::vector<const GaussianProcess*> gps_;
  LogEhvi ehvi_;
};

}  // namespace betatune
