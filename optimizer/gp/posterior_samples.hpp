#pragma once
/// Functions drawn from the posterior of a Gaussian process, to be looked at anywhere: what could
/// be true, given the results. A question that is put to each of them has as answer not a number
/// but how sure the model is of it.

#include <Eigen/Core>
#include <span>
#include <vector>

#include "optimizer/gp/marginal_likelihood.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Each is a draw of the prior (random Fourier features of the kernel) plus the update that the
/// results make to it, which is exact.
/// source: Wilson et al. 2020, arXiv:2002.09309; Rahimi and Recht 2007 for the features
class PosteriorSamples {
 public:
  /// points: encoded, one a row; y: their outputs. `map` is of `columns`.
  PosteriorSamples(const FeatureMap& map, std::span<const Column> columns, Hyperparameters at,
                   const RowMatrix& points, const Eigen::VectorXd& y);

  /// Draws `count` functions under `key`.
  void draw(int count, Key key);
  /// points.rows() x (1 + count): the posterior mean, then each function.
  RowMatrix at(const RowMatrix& points) const;

 private:
  /// Of one row of `features`: cosines, whose random sums are draws of the prior.
  RowMatrix waves(const RowMatrix& features) const;

  const FeatureMap& map_;
  Hyperparameters hyperparameters_;
  std::vector<Eigen::Index> levels_;  ///< of the choice of each feature; 0 for a number
  RowMatrix features_;                ///< of the results, map.size() x n
  GrowingFactor factor_;
  Eigen::VectorXd y_;
  std::vector<RowMatrix> frequencies_;  ///< by feature: waves x 1, or waves x levels
  Eigen::VectorXd phases_;
  RowMatrix weights_;  ///< waves x (1 + count)
  RowMatrix alpha_;    ///< n x (1 + count)
};

}  // namespace betatune
