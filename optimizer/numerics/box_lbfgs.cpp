#include "optimizer/numerics/box_lbfgs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace betatune {
namespace {

constexpr double kSufficient = 1e-4;  ///< Armijo's constant
constexpr double kShortestStep = 1e-10;
constexpr double kCurvature = 1e-10;  ///< pairs with less say nothing about the curvature

}  // namespace

BoxLbfgs::BoxLbfgs(const Eigen::VectorXd& start, Eigen::VectorXd lower, Eigen::VectorXd upper,
                   BoxLbfgsOptions options)
    : options_(options),
      lower_(std::move(lower)),
      upper_(std::move(upper)),
      value_(std::numeric_limits<double>::infinity()) {
  point_ = start.cwiseMax(lower_).cwiseMin(upper_);
  wanted_ = point_;
  gradient_ = Eigen::VectorXd::Zero(point_.size());
}

void BoxLbfgs::tell(double value, const Eigen::VectorXd& gradient) {
  ++evaluations_;
  const bool finite = std::isfinite(value) && gradient.allFinite();
  if (first_) {
    first_ = false;
    if (!finite) {
      done_ = true;
      return;
    }
    value_ = value;
    gradient_ = gradient;
    begin_line_search();
    return;
  }
  const double slope = gradient_.dot(wanted_ - point_);
  if (finite && value <= value_ + kSufficient * std::min(slope, 0.0) && value <= value_) {
    accept(value, gradient);
  } else {
    shrink(finite ? value : std::numeric_limits<double>::infinity());
  }
}

void BoxLbfgs::accept(double value, const Eigen::VectorXd& gradient) {
  Pair pair{wanted_ - point_, gradient - gradient_, 0};
  pair.product = pair.step.dot(pair.change);
  if (pair.product > kCurvature * pair.step.norm() * pair.change.norm()) {
    pairs_.push_back(std::move(pair));
    if (std::ssize(pairs_) > options_.memory) pairs_.pop_front();
  }
  const double decrease = value_ - value;
  const double scale = std::max({std::abs(value), std::abs(value_), 1.0});
  point_ = wanted_;
  value_ = value;
  gradient_ = gradient;
  ++iterations_;
  if (decrease <= options_.value_tolerance * scale) done_ = true;
  if (iterations_ >= options_.iterations_max) done_ = true;
  if (!done_) begin_line_search();
}

void BoxLbfgs::shrink(double value) {
  // The minimum of the parabola through the value and slope here and the value there, kept within
  // a tenth and a half of the step.
  const double slope = gradient_.dot(wanted_ - point_);
  double factor = 0.1;
  if (std::isfinite(value)) {
    const double bend = value - value_ - slope;
    factor = bend > 0 ? std::clamp(-0.5 * slope / bend, 0.1, 0.5) : 0.5;
  }
  length_ *= factor;
  if (length_ < kShortestStep) {
    // The memory may be at fault: once more along the gradient, else this is the end.
    if (pairs_.empty()) {
      done_ = true;
      return;
    }
    pairs_.clear();
    begin_line_search();
    return;
  }
  ask();
}

void BoxLbfgs::begin_line_search() {
  const Eigen::ArrayXd free = free_mask();
  const Eigen::VectorXd reduced = (gradient_.array() * free).matrix();
  const double largest = reduced.size() == 0 ? 0 : reduced.cwiseAbs().maxCoeff();
  if (largest <= options_.gradient_tolerance) {
    done_ = true;
    return;
  }
  direction_ = direction();
  length_ = 1;
  if (pairs_.empty()) length_ = std::min(1.0, options_.first_step / largest);
  ask();
}

void BoxLbfgs::ask() {
  wanted_ = (point_ + length_ * direction_).cwiseMax(lower_).cwiseMin(upper_);
  if (evaluations_ >= options_.evaluations_max || wanted_ == point_) done_ = true;
}

Eigen::VectorXd BoxLbfgs::direction() const {
  const Eigen::ArrayXd free = free_mask();
  Eigen::VectorXd q = (gradient_.array() * free).matrix();
  std::vector<double> alpha(pairs_.size());
  double scale = 1;
  // Pairs restricted to the free coordinates, in which their product may have lost its sign.
  const auto product = [&](const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
    return (a.array() * b.array() * free).sum();
  };
  std::vector<double> inner(pairs_.size());
  for (std::size_t i = 0; i < pairs_.size(); ++i)
    inner[i] = product(pairs_[i].step, pairs_[i].change);
  for (std::size_t i = pairs_.size(); i-- > 0;) {
    if (inner[i] <= 0) continue;
    alpha[i] = product(pairs_[i].step, q) / inner[i];
    q -= alpha[i] * (pairs_[i].change.array() * free).matrix();
    if (scale == 1) scale = inner[i] / product(pairs_[i].change, pairs_[i].change);
  }
  q *= scale;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (inner[i] <= 0) continue;
    const double beta = product(pairs_[i].change, q) / inner[i];
    q += (alpha[i] - beta) * (pairs_[i].step.array() * free).matrix();
  }
  if (q.dot(gradient_) <= 0) return -(gradient_.array() * free).matrix();
  return -q;
}

Eigen::ArrayXd BoxLbfgs::free_mask() const {
  Eigen::ArrayXd mask(point_.size());
  for (Eigen::Index i = 0; i < point_.size(); ++i) {
    const bool held = (point_[i] <= lower_[i] && gradient_[i] >= 0) ||
                      (point_[i] >= upper_[i] && gradient_[i] <= 0);
    mask[i] = held ? 0 : 1;
  }
  return mask;
}

}  // namespace betatune
