#pragma once
/// What a Gaussian process believes of its outputs before it has seen any: zero unless it is given
/// one of these.

#include <Eigen/Core>

#include "optimizer/numerics/factor.hpp"

namespace betatune {

class MeanFunction {
 public:
  virtual ~MeanFunction() = default;
  /// At m points given as features. slopes: null, or overwritten, by feature, size() x m.
  virtual Eigen::VectorXd value(const RowMatrix& features, RowMatrix* slopes) const = 0;
};

}  // namespace betatune
