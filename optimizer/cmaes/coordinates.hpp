#pragma once
/// How a configuration is to a CMA-ES: coordinates of a normal distribution for what is a number,
/// choices with probabilities for the rest; both by parameters' names, so that the order of
/// declaration is of no influence.

#include <vector>

#include "optimizer/cmaes/margin.hpp"
#include "optimizer/tpe/parzen_axis.hpp"

namespace betatune {

/// A point as it was drawn, before grids and conditions. What a configuration does not tell of it
/// (where in its cell a value of a grid was, what an inactive parameter would have been) is in the
/// note of the suggestion.
struct CmaSample {
  Eigen::VectorXd raw;       ///< [coordinate]
  Eigen::VectorXd moves;     ///< [coordinate] 1, or 0 where inactive
  std::vector<int> choices;  ///< [choice]; -1 where inactive
};

class CmaCoordinates {
 public:
  explicit CmaCoordinates(const SearchSpace& space);

  /// Numbers with more than one value. Parameters with a single value are in neither list.
  const std::vector<ParzenAxis>& numbers() const { return numbers_; }
  const std::vector<ParzenAxis>& choices() const { return choices_; }
  std::vector<std::size_t> choice_counts() const;
  Eigen::Index dims() const { return std::ssize(numbers_); }

  /// The cell that `mean` is in, for a grid; no borders on a line.
  CellBorders borders(Eigen::Index coordinate, double mean) const;
  /// The point of the unit cube that is tried: samples of grids are moved away from `mean` by
  /// `stretch` and rounded.
  Eigen::VectorXd point(const CmaSample& sample, const Eigen::VectorXd& mean,
                        const std::vector<double>& stretch) const;
  /// Whether the coordinates on lines are inside [0,1].
  bool inside(const CmaSample& sample) const;
  /// Mirrors those that are outside at the border that they crossed.
  void reflect(CmaSample& sample) const;

  /// What `point`, an encoded configuration, does not tell of `sample`; null if nothing.
  Json untold(const CmaSample& sample, const Eigen::VectorXd& point) const;
  /// The sample of a trial: its encoded configuration and what untold() noted. A coordinate that
  /// nobody knows is NaN.
  CmaSample sample_of(const Eigen::Ref<const Eigen::VectorXd>& point, const Json& untold) const;

 private:
  int dims_;
  std::vector<ParzenAxis> numbers_, choices_;
};

}  // namespace betatune
