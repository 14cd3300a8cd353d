#pragma once
/// Which parameters matter: how much of the variance of the modelled loss over the space each of
/// them explains. In the spirit of fANOVA (Hutter et al. 2014), with the study's Gaussian process
/// in place of a forest.

#include <string>
#include <vector>

#include "optimizer/history.hpp"

namespace betatune {

/// A share of the variance: of the posterior mean, and between which values the functions lie that
/// the results leave possible (5 % to 95 % of draws from the posterior, and the value itself).
struct Share {
  double value = 0, low = 0, high = 0;
};

struct ParameterImportance {
  std::string name;
  double active = 1;  ///< share of the space where it exists; the rest is measured there
  Share main;         ///< by itself, averaged over all others
  Share total;        ///< with all interactions that it takes part in
  double inverse_lengthscale = 0;
};

struct Importance {
  std::int64_t results = 0;                     ///< that the model learned from
  double noise = 0;                             ///< variance that no parameter explains, of about 1
  std::vector<ParameterImportance> parameters;  ///< by total effect, the largest first
};

/// Of the model of all finished trials, in its own (transformed) outputs, over points that meet the
/// constraints. A function of the history alone. Errors: invalid_argument if nothing is searched,
/// or there are too few results.
Result<Importance> importance(const History& history);

}  // namespace betatune
