#pragma once
/// A share of all steps goes to trials that are trained to the end in one go because they are
/// unlike all that have been. What training on will change is learned from the trials that were
/// trained on, and where these are all alike (one optimizer, one schedule of the learning rate)
/// nothing says that another one ends lower, however often it is tried for a few steps.

#include <optional>
#include <vector>

#include "optimizer/curves/curve_table.hpp"
#include "optimizer/gp/feature_map.hpp"
#include "optimizer/schedulers/ladder.hpp"

namespace betatune {

struct Leap {
  TrialId trial;
  /// To the nearest trial that was trained to the end: Euclidean, in the unit cube; a choice that
  /// differs counts as 1.
  double distance = 0;
};

class Leaps {
 public:
  /// share: of all steps, in [0, 1).
  Leaps(double share, Step top, bool resumable)
      : share_(share), top_(static_cast<double>(top)), resumable_(resumable) {}

  /// An attempt begins. ladder: as it was before.
  void observe(const AttemptStarted& started, const Ladder& ladder);
  /// Whether the share has room for another full training.
  bool due() const { return share_ > 0 && leapt_ + top_ <= share_ * (trained_ + top_); }
  /// The paused trials that are in the better half at their rung, two rungs or more below the end,
  /// and break no limit; by their ids.
  static std::vector<TrialId> candidates(const StudyState& state, const Ladder& ladder);
  /// The one of them farthest from all that were or are trained to the end; nothing if none is
  /// farther than a tenth of a range. table: of all trials.
  std::optional<Leap> choose(const StudyState& state, const std::vector<TrialId>& candidates,
                             const FeatureMap& map, const CurveTable& table) const;

 private:
  double share_, top_;
  bool resumable_;
  double trained_ = 0, leapt_ = 0;  ///< steps, of all attempts
};

}  // namespace betatune
