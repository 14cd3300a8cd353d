#pragma once
/// How a differential evolution makes a new point of four old ones.

#include <Eigen/Core>

#include "searchspaces/random.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

/// Points of the unit cube, every column with a value.
struct DeParents {
  Eigen::VectorXd own;          ///< of the slot
  Eigen::VectorXd better;       ///< one of the best
  Eigen::VectorXd plus, minus;  ///< their difference is a step
};

/// "current to p-best, binomial": of the columns that cross over (each with probability `cr`, at
/// least one) a number goes `f` of the way to the better parent and `f` times the difference
/// further, half-way to the border where that would cross it. A choice becomes the better parent's
/// with probability `f`, else that of `plus` with probability `f` where `minus` differs.
/// source: Zhang and Sanderson 2009, JADE
Eigen::VectorXd de_child(const SearchSpace& space, const DeParents& parents, double f, double cr,
                         Stream& stream);

}  // namespace betatune
