#pragma once
/// What trials that were trained in part will have reached at the end: a chain of models, each of
/// what training from one level to the next changes. All trials that went that way teach a link,
/// so the first links know much, and how configurations that start slowly catch up is learned from
/// the few that were trained on.
///
/// A link is a regression of the change on the loss and on the change before it, and a Gaussian
/// process over the configuration of what that leaves: recursive co-kriging (Le Gratiet and Garnier
/// 2014, doi:10.1615/Int.J.UncertaintyQuantification.2014006914), which is exact where every trial
/// of a level has been through those below.
///
/// A pure function of the table: no state is kept between calls.

#include <optional>
#include <vector>

#include "optimizer/curves/curve_table.hpp"
#include "optimizer/gp/gaussian_process.hpp"
#include "searchspaces/random.hpp"

namespace betatune {

/// Losses of any size as outputs that rise slowly far above the lowest, where nothing matters.
struct CurveScale {
  double lowest = 0, width = 1;
  double output_of(double loss) const;
  double loss_of(double output) const;
  /// Of the loss, by the output.
  double slope_at(double output) const;
  static CurveScale of(const CurveTable& table);
};

/// Of outputs, not of losses.
struct CurveBeliefs {
  Eigen::VectorXd mean, variance;
  /// The part of the variance that configurations next to each other do not share.
  Eigen::VectorXd own_variance;
  /// What reaching each level reveals of the variance, which is their sum: rows x levels, of
  /// of_rows() and of_new().
  RowMatrix revealed;
};

class CurveModel {
 public:
  /// Precondition: the table has rows. It must outlive the model. draw: the links' hyper-parameters
  /// are drawn from their posterior under it, instead of being the most probable ones, which are
  /// sure that what never varied among the trials of a link does not matter.
  CurveModel(FeatureMap map, const CurveTable& table, std::optional<Key> draw = {});

  const CurveScale& scale() const { return scale_; }
  /// At the last level, of every row; what is known has variance 0.
  CurveBeliefs of_rows() const;
  /// The same of some rows as if they had come to the first level only. Precondition: each has a
  /// loss there.
  CurveBeliefs from_first(const std::vector<Eigen::Index>& rows) const;
  /// Of one row, at each level beyond the highest at which it has a loss.
  CurveBeliefs beyond(Eigen::Index row) const;
  /// At the last level, of configurations that have not been tried. points: encoded, one a row.
  CurveBeliefs of_new(const RowMatrix& points) const;

 private:
  struct Walk;
  struct Link {
    double offset = 0, slope = 1, momentum = 0;  ///< slope: of the output at the next level
    double centre = 0, centre_change = 0;
    double deviation = 1;  ///< of what the regression leaves
    std::optional<GaussianProcess> gp = {};
  };
  Link learn(Eigen::Index level) const;
  Walk begin(const std::vector<Eigen::Index>& rows) const;
  /// To the level, from the one before.
  void advance(Eigen::Index to, const RowMatrix& features, Walk& walk) const;
  /// From the first level.
  CurveBeliefs at_the_end(const RowMatrix& features, Walk walk) const;

  FeatureMap map_;
  const CurveTable& table_;
  std::optional<Key> draw_;
  CurveScale scale_;
  RowMatrix outputs_;  ///< NaN where the table has it
  std::vector<Link> links_;
};

}  // namespace betatune
