#pragma once
/// From the model's outputs back to losses, for people: the model's mean is of transformed losses,
/// which say nothing to anybody.

#include <utility>
#include <vector>

#include "optimizer/gp/output_transform.hpp"

namespace betatune {

/// Follows the pairs of losses and outputs that the model learned from, linearly between them.
/// Below the lowest it goes on with the slope there; above the highest with that of the last pair.
class LossScale {
 public:
  /// losses: as they were given to transform_outputs(), at least one.
  LossScale(const Eigen::VectorXd& losses, OutputBend bend);

  double loss_at(double y) const;

 private:
  std::vector<std::pair<double, double>> pairs_;  ///< (y, loss), y rising strictly
  double slope_at_best_ = 1;
};

}  // namespace betatune
