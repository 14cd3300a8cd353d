#include "optimizer/pareto/boxes.hpp"

#include <algorithm>
#include <limits>

namespace betatune {
namespace {

struct Box {
  Eigen::RowVectorXd lower, upper;
};

/// What of the box the point does not dominate: up to m boxes.
void split(const Box& box, const Eigen::RowVectorXd& point, std::vector<Box>& into) {
  Box rest = box;
  for (Eigen::Index j = 0; j < point.size(); ++j) {
    if (point[j] <= rest.lower[j]) continue;
    Box open = rest;
    open.upper[j] = point[j];
    into.push_back(std::move(open));
    rest.lower[j] = point[j];
  }
}

}  // namespace

Boxes open_boxes(const RowMatrix& front, const Eigen::VectorXd& reference) {
  const Eigen::Index m = reference.size();
  constexpr double kOpen = -std::numeric_limits<double>::infinity();
  std::vector<Box> boxes = {{Eigen::RowVectorXd::Constant(m, kOpen), reference.transpose()}};
  for (const Eigen::Index row : non_dominated(front)) {
    const Eigen::RowVectorXd point = front.row(row);
    std::vector<Box> next;
    for (const Box& box : boxes) {
      if ((point.array() < box.upper.array()).all()) {
        split(box, point, next);
      } else {
        next.push_back(box);
      }
    }
    boxes = std::move(next);
  }
  Boxes out{RowMatrix(std::ssize(boxes), m), RowMatrix(std::ssize(boxes), m)};
  for (Eigen::Index i = 0; i < out.lower.rows(); ++i) {
    out.lower.row(i) = boxes[static_cast<std::size_t>(i)].lower;
    out.upper.row(i) = boxes[static_cast<std::size_t>(i)].upper;
  }
  return out;
}

double improvement(const Boxes& boxes, const Eigen::VectorXd& point) {
  double sum = 0;
  for (Eigen::Index k = 0; k < boxes.lower.rows(); ++k) {
    double volume = 1;
    for (Eigen::Index j = 0; j < point.size(); ++j) {
      volume *= std::max(0.0, boxes.upper(k, j) - std::max(point[j], boxes.lower(k, j)));
    }
    sum += volume;
  }
  return sum;
}

}  // namespace betatune
