#pragma once
/// One step of the local search: where a Taylor model of the results near the best one promises
/// most, within the trust region. What a Gaussian process of the whole space does badly, this does
/// well: following a curved valley, and getting the last digits of a smooth minimum.

#include <optional>

#include "optimizer/gp/observations.hpp"
#include "optimizer/local/trust_region.hpp"

namespace betatune {

struct LocalStep {
  Eigen::VectorXd point;  ///< encoded
  LocalNote note;
  double noise = 0;  ///< standard deviation of the losses that the model could not explain
};

struct LocalProblem {
  Eigen::Index centre = 0;  ///< row of the data
  double radius = 0;
  double noise = 0;  ///< standard deviation of the losses; 0 if none is known
  /// By how much the region is wider along each column; empty: equally wide.
  Eigen::VectorXd stretch = {};
};

/// Moves the continuous columns (and grids of many levels) of the centre; what
/// else the configuration has stays as it is. Pending points (encoded) count as answered by the
/// model. Maximises log expected improvement from several starts drawn under `key`.
/// Nothing if there are no such columns.
std::optional<LocalStep> propose_local(const SearchSpace& space, const Observations& data,
                                       const LocalProblem& problem, const RowMatrix& pending,
                                       Key key);

}  // namespace betatune
