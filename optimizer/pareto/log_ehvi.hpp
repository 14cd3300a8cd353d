#pragma once
/// Expected hypervolume improvement over independent normal distributions, in logarithms.

#include <vector>

#include "optimizer/pareto/boxes.hpp"

namespace betatune {

/// Log of the expected hypervolume that a point adds, in nats; finite even where the expectation
/// underflows. Over one box the improvement is a product, one factor per objective, and so is its
/// expectation: the sum over boxes is exact, and needs no samples. In each objective the factor is
/// E(u - Y)+ - E(l - Y)+, a difference of two expected improvements, taken by their logarithms.
/// source: Yang et al. 2019, doi:10.1007/s10898-019-00798-7; logarithms as in Ament et al. 2023,
/// arXiv:2310.20708; golden: tests/golden/gp/log_ehvi.json
class LogEhvi {
 public:
  explicit LogEhvi(const Boxes& boxes);

  std::size_t objectives() const { return bounds_.size(); }
  /// means, deviations: one per objective; deviations > 0. by_mean, by_deviation: both null, or
  /// overwritten by the slopes.
  double value(const Eigen::VectorXd& means, const Eigen::VectorXd& deviations,
               Eigen::VectorXd* by_mean, Eigen::VectorXd* by_deviation) const;

 private:
  /// The bounds of all boxes are few numbers per objective: what is known of each is computed once.
  struct Bounds {
    std::vector<double> values;          ///< ascending, perhaps from -infinity
    std::vector<std::size_t> low, high;  ///< of each box, places in `values`
  };

  std::vector<Bounds> bounds_;
  std::size_t boxes_ = 0;
};

}  // namespace betatune
