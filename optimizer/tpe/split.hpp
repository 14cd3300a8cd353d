#pragma once
/// The better and the worse part of what was observed.

#include <vector>

#include "optimizer/gp/observations.hpp"

namespace betatune {

struct Split {
  struct Better {
    Eigen::Index row = 0;  ///< of the observations
    double weight = 0;     ///< in (0, 1]
  };
  std::vector<Better> better;       ///< ascending rows
  std::vector<Eigen::Index> worse;  ///< ascending rows; failures are among them
};

/// The lowest `gamma` of the losses, rounded up and at most `most`, are the better ones; earlier
/// trials win ties. Each counts for as much as its loss lies below the lowest of the others (the
/// weights of expected improvement, Watanabe 2023, arXiv:2304.11127); if all are equal, the same.
Split split(const Observations& data, double gamma, std::size_t most);

}  // namespace betatune
