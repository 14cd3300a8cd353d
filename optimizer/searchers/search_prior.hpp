#pragma once
/// What a person believes of the optimum (`prior:` of parameters), as a density on the unit cube:
/// the start of a search is drawn from it, and the acquisition function is weighted by it, less and
/// less as results come in. A belief bends the search; a tenth of the density is spread evenly, so
/// a wrong one costs trials but hides nothing.
///
/// source: Hvarfner et al. 2022, piBO, arXiv:2204.11051: the acquisition times density^(beta / n).
/// Ours fades with the square of n: in six dimensions a belief half the range off cost 60 trials
/// two orders of magnitude with theirs.

#include <optional>
#include <vector>

#include "optimizer/gp/acquisition.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

class SearchPrior {
 public:
  /// Nothing if no parameter has a prior.
  static std::optional<SearchPrior> of(const SearchSpace& space);
  /// The same, with a weak belief in the middle for every number and ordinal that has no prior:
  /// people put ranges round what they expect, and a model that knows little of the corners would
  /// look at all of them. (Over-exploration of borders: Siivola et al. 2018, arXiv:1704.00963.)
  /// Nothing if there is no such parameter either.
  static std::optional<SearchPrior> with_middle(const SearchSpace& space);

  /// A point of the unit cube, drawn evenly, as one that is drawn from the beliefs: numbers from a
  /// normal distribution cut at the range, choices with the believed one more often.
  Eigen::VectorXd shape(Eigen::VectorXd point) const;
  /// `point` with every believed value in its place.
  Eigen::VectorXd center(Eigen::VectorXd point) const;
  /// Log of the density at an encoded point, 0 where all is even; inactive columns count as even.
  /// slope: null, or overwritten by its gradient.
  double log_density(const Eigen::Ref<const Eigen::RowVectorXd>& point,
                     Eigen::RowVectorXd* slope) const;

 private:
  struct Belief {
    Eigen::Index column = 0;
    double center = 0;        ///< encoded
    double spread = 0;        ///< of a number: standard deviation, in the unit cube
    std::size_t choices = 0;  ///< 0: a number
    double weight = 0;        ///< of the believed choice; all others weigh 1
    double height = 0;        ///< of a number: of the bell at its center
  };
  explicit SearchPrior(std::vector<Belief> beliefs);
  static std::vector<Belief> beliefs_of(const SearchSpace& space);
  static double shape_number(const Belief& belief, double u);
  static double shape_choice(const Belief& belief, double u);
  static double density(const Belief& belief, double u, double* slope);

  std::vector<Belief> beliefs_;
};

/// log density^((10 / results)^2), at most log density, to be added to a log acquisition. `prior`
/// must outlive it.
class PriorWeight : public Acquisition {
 public:
  PriorWeight(const SearchPrior& prior, Eigen::Index results);
  Eigen::VectorXd value(const RowMatrix& points, RowMatrix* gradient) const override;

 private:
  const SearchPrior& prior_;
  double power_;
};

}  // namespace betatune
