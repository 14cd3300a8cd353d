#pragma once
/// The explore step of population-based training (Jaderberg et al. 2017, arXiv:1711.09846): another
/// configuration near to one that does well, for a model that goes on from where it is.

#include <Eigen/Core>
#include <optional>
#include <string>
#include <vector>

#include "searchspaces/random.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

/// A number times this, or times the other.
inline constexpr double kPerturbDown = 0.8;
inline constexpr double kPerturbUp = 1.2;

class Exploration {
 public:
  /// mutate    names of searched parameters, the only ones that change
  /// resample  chance of each that it is drawn anew, instead of moved
  Exploration(SearchSpace space, const std::vector<std::string>& mutate, double resample);

  /// A configuration that meets the constraints. Numbers are multiplied by 0.8 or 1.2 (those of the
  /// scale logit: their odds), stay in their range, and move by one value of their grid at least;
  /// values of an ordinal move to a neighbour; categorical ones change only when they are drawn
  /// anew. What becomes active by the change is drawn. `parent` itself if none of 100 tries meets
  /// the constraints, or if it is not a configuration of this space.
  Configuration explore(const Configuration& parent, Key key) const;

  /// Whether a model trained with the one can go on with the other: all that may not change is the
  /// same in both.
  bool may_become(const Configuration& parent, const Configuration& other) const;

  /// `parent` with the values that those which may change have at a point of the unit cube, all
  /// columns of which have a value; what becomes active by it has its value from there, too.
  /// Nothing if that breaks a constraint.
  std::optional<Configuration> at(const Configuration& parent, const Eigen::VectorXd& point) const;

 private:
  struct Draft;
  const std::string& name_of(std::size_t column) const;
  void move(std::size_t column, bool up, Draft& draft) const;
  void place_exact(Draft& draft) const;
  std::optional<Configuration> complete(const Draft& draft) const;

  SearchSpace space_;
  std::vector<std::size_t> columns_;  ///< those that may change
  double resample_;
};

}  // namespace betatune
