#pragma once
/// Expected improvement, the acquisition function of a search without surprises.

#include "optimizer/gp/acquisition.hpp"

namespace betatune {

/// Log of expected improvement below `best`, for minimisation, in nats; finite even where EI
/// underflows. The bound takes what the nearest point leaves of the variance: O(n) per point
/// instead of O(n^2).
/// source: Ament et al. 2023, arXiv:2310.20708; golden: tests/golden/gp/log_ei.json
class LogExpectedImprovement : public Acquisition {
 public:
  /// `gp` must outlive it.
  LogExpectedImprovement(const GaussianProcess& gp, double best) : gp_(gp), best_(best) {}
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  Eigen::VectorXd bound(const RowMatrix& points) const override;

 private:
  const GaussianProcess& gp_;
  double best_;
};

}  // namespace betatune
