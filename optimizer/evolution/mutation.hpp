#pragma once
/// Neighbours of a point of a mixed space, for searchers that vary what they have seen.

#include <Eigen/Core>

#include "searchspaces/random.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

/// `point` with a draw from the prior in each column that is inactive, so that a parameter that
/// becomes active has a value of its own.
Eigen::VectorXd fill_inactive(const SearchSpace& space, const Eigen::VectorXd& point,
                              Stream& stream);

/// A neighbour of `point`, an encoded configuration: each active column changes with a probability
/// of one in their number, at least one does. A choice becomes another one. A number takes a normal
/// step whose size is itself drawn, from 0.3 to 0.003 of the range; on a grid at least to the next
/// value. Every column of the answer has a value; constraints are not looked at.
Eigen::VectorXd mutate(const SearchSpace& space, const Eigen::VectorXd& point, Stream& stream);

}  // namespace betatune
