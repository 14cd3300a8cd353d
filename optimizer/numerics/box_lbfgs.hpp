#pragma once
/// Minimisation of a smooth function in a box by a projected limited-memory BFGS method, turned
/// inside out: it says where it wants the function evaluated and is told the answer. So that many
/// runs from different starts share one batched evaluation. Deterministic.

#include <Eigen/Core>
#include <deque>

namespace betatune {

struct BoxLbfgsOptions {
  int memory = 8;
  int iterations_max = 50;
  int evaluations_max = 80;
  double gradient_tolerance = 1e-6;  ///< largest entry of the projected gradient
  double value_tolerance = 1e-10;    ///< relative decrease that counts as none
  double first_step = 0.2;           ///< length of the first step, in the largest coordinate
};

class BoxLbfgs {
 public:
  /// lower <= upper, finite; the start is clamped into the box.
  BoxLbfgs(const Eigen::VectorXd& start, Eigen::VectorXd lower, Eigen::VectorXd upper,
           BoxLbfgsOptions options = {});

  bool done() const { return done_; }
  /// Where the function is wanted next. Precondition: !done().
  const Eigen::VectorXd& wanted() const { return wanted_; }
  /// The function there; a value that is not finite counts as very bad.
  void tell(double value, const Eigen::VectorXd& gradient);

  /// The best point so far, and its value (infinite before the first tell).
  const Eigen::VectorXd& best() const { return point_; }
  double best_value() const { return value_; }

 private:
  struct Pair {
    Eigen::VectorXd step, change;
    double product;
  };

  void accept(double value, const Eigen::VectorXd& gradient);
  void shrink(double value);
  void begin_line_search();
  Eigen::VectorXd direction() const;
  /// Coordinates that may move: not held at a bound by the gradient.
  Eigen::ArrayXd free_mask() const;
  void ask();

  BoxLbfgsOptions options_;
  Eigen::VectorXd lower_, upper_;
  Eigen::VectorXd point_, gradient_, wanted_, direction_;
  std::deque<Pair> pairs_;
  double value_;
  double length_ = 1;
  int iterations_ = 0, evaluations_ = 0;
  bool first_ = true, done_ = false;
};

}  // namespace betatune
