#pragma once
/// Rungs above one another, as a fold of the log: what ASHA and PASHA have in common.

#include <map>
#include <optional>
#include <vector>

#include "optimizer/scheduler.hpp"
#include "optimizer/schedulers/rungs.hpp"

namespace betatune {

class Ladder {
 public:
  Ladder(std::vector<Step> levels, double eta, std::size_t objectives)
      : levels_(std::move(levels)), rungs_(levels_.size(), Rung(eta, objectives)) {}

  /// What most do with an event: trials come to a rung by reaching the goal of an attempt.
  void observe(const StudyState& state, const Event& event);
  /// The trial is taken from the rungs below the one that it goes to.
  void start(const AttemptStarted& started);
  /// A result at a rung, the highest that the trial has reached; false if it is no news: a retried
  /// attempt reports its first steps again.
  bool record(const StudyState& state, const Trial& trial, int rung, std::optional<double> loss);
  /// A failed trial leaves every comparison; a finished or stopped one stays comparable. Returns
  /// whether it left.
  bool close(const TrialClosed& closed);

  /// The best trial that may go on from the highest of the rungs below `top`.
  std::optional<Assignment> promotion(std::size_t top) const;
  /// A promotion from any rung, or else a new trial.
  std::optional<Assignment> promotion_or_new(bool may_start) const;
  /// When nothing runs and nobody was trained to the end: the best trial of the highest rung, to
  /// the end. A study of few trials may end so, and its user wants one trained model.
  std::optional<Assignment> finish(const StudyState& state) const;

  std::size_t size() const { return levels_.size(); }
  Step level(std::size_t rung) const { return levels_[rung]; }
  const std::vector<Step>& levels() const { return levels_; }
  const Rung& rung(std::size_t at) const { return rungs_[at]; }
  /// The rung of its newest result; -1 before the first.
  int rung_of(TrialId trial) const;
  /// At that rung; nothing if it has no result there.
  std::optional<RungStanding> standing(TrialId trial) const;

 private:
  std::vector<Step> levels_;
  std::vector<Rung> rungs_;
  std::map<TrialId, int> highest_;
};

}  // namespace betatune
