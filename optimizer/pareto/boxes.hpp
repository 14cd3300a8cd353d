#pragma once
/// The part of the space below a reference point that a front leaves open, as boxes that do not
/// overlap: what a new point improves is the sum of its shares of them.

#include "optimizer/pareto/front.hpp"

namespace betatune {

struct Boxes {
  RowMatrix lower;  ///< one box a row; may be -infinity
  RowMatrix upper;
};

/// front: rows to be minimised; what does not dominate the reference closes nothing.
Boxes open_boxes(const RowMatrix& front, const Eigen::VectorXd& reference);

/// How much hypervolume a point would add: the sum over boxes of what of them it dominates.
double improvement(const Boxes& boxes, const Eigen::VectorXd& point);

}  // namespace betatune
