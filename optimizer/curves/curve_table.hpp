#pragma once
/// Learning curves at the steps at which they compare.

#include <optional>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/curves/encoded_trials.hpp"
#include "optimizer/numerics/factor.hpp"

namespace betatune {

struct CurveTable {
  std::vector<Step> levels;  ///< ascending; only those that somebody has reached, and the last
  std::vector<std::size_t> trials;  ///< ids of the rows, ascending
  RowMatrix points;                 ///< one row per trial, encoded
  RowMatrix losses;                 ///< one column per level; NaN: nothing was reported there

  Eigen::Index rows() const { return losses.rows(); }
  /// The highest level at which the row has a loss.
  Eigen::Index top_of(Eigen::Index row) const;
};

/// Whether half-trained trials count for what such curves are expected to end in.
bool models_curves(const StudySpec& spec);

/// At fidelity.min, three times that ... and fidelity.max: the trials that have reported a loss,
/// without those that train another one's configuration again, failed by their own fault or were
/// cancelled. At a level counts the last loss above the level before: trainers need not report at
/// every step.
CurveTable curve_table(const SearchSpace& space, const FidelitySpec& fidelity,
                       const TrialTable& trials, EncodedTrials& encoded);

}  // namespace betatune
