#pragma once
/// Where a CMA-ES stands: its distributions, and what decides when it starts anew.

#include "optimizer/cmaes/choices.hpp"
#include "optimizer/cmaes/coordinates.hpp"
#include "optimizer/cmaes/distribution.hpp"

namespace betatune {

/// A result that has a part in a generation.
struct CmaMember {
  double loss = 0;  ///< infinity: failed by its own fault
  CmaSample sample;
};

class CmaState {
 public:
  /// Generation 0 of a restart: round `mean` (one entry per coordinate) with `sigma`.
  CmaState(const CmaCoordinates& coordinates, int restart, int population, Eigen::VectorXd mean,
           double sigma);

  int restart() const { return restart_; }
  int generation() const { return generation_; }
  /// Results that make a generation.
  int population() const { return population_; }
  const CmaDistribution& normal() const { return normal_; }
  const ChoiceDistribution& choices() const { return choices_; }
  const std::vector<double>& stretch() const { return stretch_; }

  CmaSample draw(Stream& stream) const;
  /// Learns from a generation of at least two, in any order.
  void update(const CmaCoordinates& coordinates, std::vector<CmaMember> members);
  /// Whether going on is a waste: no coordinate moves any more, the covariance is degenerate, or
  /// the last generations brought nothing. Looks at the order of losses only.
  bool exhausted() const;

 private:
  void keep_margins(const CmaCoordinates& coordinates);
  bool stagnates() const;

  int restart_, generation_ = 0, population_;
  CmaDistribution normal_;
  std::vector<double> stretch_;  ///< [coordinate], 1 on lines
  ChoiceDistribution choices_;
  std::vector<double> bests_, medians_;  ///< losses by generation
};

}  // namespace betatune
