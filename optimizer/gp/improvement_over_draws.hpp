#pragma once
/// Expected improvement where nobody knows what it is measured from, because results are noisy.

#include "optimizer/gp/acquisition.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Log of expected improvement below the lowest of some points, averaged over joint draws of the
/// function there, in nats: log E_f [EI(x | f at those points)], the noisy expected improvement.
/// Those points are all where the lowest may be: results, looked at again as points without noise,
/// and trials that still run. BoTorch's qLogNEI with pending points, for one more of them.
/// source: Letham et al. 2019, doi:10.1214/18-BA1110; Ament et al. 2023, arXiv:2310.20708
class ImprovementOverDraws : public Acquisition {
 public:
  /// gp       data, then points at their means; points in question are appended to its copy here
  /// fixed    how many of gp's points without outputs stay at their means: the first ones
  /// latent   m more points in question, as features, map().size() x m
  ImprovementOverDraws(GaussianProcess gp, Eigen::Index fixed, const RowMatrix& latent, Key key);

  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;
  Eigen::VectorXd bound(const RowMatrix& points) const override;

 private:
  Eigen::VectorXd value_of_batch(const RowMatrix& points, RowMatrix* gradient) const;

  GaussianProcess gp_;
  RowMatrix weights_;       ///< of gp_'s points, size() x draws
  Eigen::VectorXd lowest_;  ///< of each draw
};

}  // namespace betatune
