#pragma once
/// The normal distribution of a CMA-ES, and how a generation's results change it.
///
/// source: Hansen 2016, The CMA Evolution Strategy: A Tutorial, arXiv:1604.00772 (with negative
/// weights); golden: tests/golden/cmaes/cma.json

#include <Eigen/Core>

#include "optimizer/numerics/factor.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// What follows from the number of coordinates and the size of a generation (Table 1 there).
struct CmaConstants {
  Eigen::VectorXd weights;  ///< by rank; the first `parents` are positive and add up to 1
  Eigen::Index parents = 0;
  double mu_eff = 0;
  double c_sigma = 0, d_sigma = 0, c_c = 0, c_1 = 0, c_mu = 0;
  double chi = 0;  ///< expected length of a standard normal vector
};
/// Preconditions: dims >= 1, population >= 2.
CmaConstants cma_constants(Eigen::Index dims, Eigen::Index population);

/// The usual size of a generation: 4 + 3 ln(dims), rounded down.
int cma_population(Eigen::Index dims);

class CmaDistribution {
 public:
  /// Round `mean` with standard deviation `sigma` in every coordinate.
  CmaDistribution(Eigen::VectorXd mean, double sigma);

  Eigen::Index dims() const { return mean_.size(); }
  const Eigen::VectorXd& mean() const { return mean_; }
  double sigma() const { return sigma_; }
  const RowMatrix& covariance() const { return covariance_; }  ///< without sigma^2
  /// Standard deviation of coordinate j.
  double deviation(Eigen::Index j) const;
  double largest_deviation() const;
  /// The axes' longest over shortest.
  double condition() const;

  Eigen::VectorXd draw(Stream& stream) const;

  /// A generation: one point per row, best first, as it was drawn.
  /// moves   same shape, 0 where a coordinate had no part in a point's result: such a point does
  ///         not move the mean there. Sigma and covariance take it as the draw that it was, because
  ///         leaving it out would shrink both.
  void update(const RowMatrix& points, const RowMatrix& moves);
  /// Puts the mean's coordinate j elsewhere (CMA-ES with margin does).
  void move_mean(Eigen::Index j, double to) { mean_[j] = to; }

 private:
  void update_covariance(const CmaConstants& of, const RowMatrix& steps, bool stalled);
  Eigen::VectorXd whiten(const Eigen::VectorXd& step) const;
  void decompose();

  Eigen::VectorXd mean_;
  double sigma_;
  RowMatrix covariance_;
  Eigen::VectorXd path_sigma_, path_c_;
  int generation_ = 0;
  RowMatrix axes_;           ///< rows: the covariance's eigenvectors
  Eigen::VectorXd lengths_;  ///< square roots of its eigenvalues
};

}  // namespace betatune
