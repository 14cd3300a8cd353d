#pragma once
/// What trainings came to from one comparison of a population to the next, as a fold of the log:
/// all that a model of the best next hyper-parameters can learn from.

#include <map>
#include <optional>
#include <vector>

#include "optimizer/study_state.hpp"

namespace betatune {

/// A training with one configuration from one comparison to the next.
struct Gain {
  TrialId trial;
  Step from = 0, until = 0;
  double before = 0;            ///< loss at `from`; of its parent, where a copy began
  std::optional<double> after;  ///< nothing: it failed by its own fault on the way, for good
};

class Gains {
 public:
  void observe(const StudyState& state, const Event& event);

  /// In the order of the log. What a trial comes to first is none unless it is a copy: nothing is
  /// known of before.
  const std::vector<Gain>& made() const { return made_; }
  /// Where a trial's next gain begins; nothing before its first comparison, unless it is a copy.
  struct Mark {
    Step step = 0;
    double loss = 0;
  };
  std::optional<Mark> mark_of(TrialId trial) const;
  /// What the trial had come to when an attempt of its own reached this step as its goal.
  std::optional<double> loss_at(TrialId trial, Step step) const;

 private:
  void reach(const Trial& trial);
  void fail(const Trial& trial);

  std::vector<Gain> made_;
  std::map<TrialId, Mark> marks_;
  std::map<TrialId, std::map<Step, double>> reached_;
};

}  // namespace betatune
