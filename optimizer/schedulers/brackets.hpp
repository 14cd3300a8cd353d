#pragma once
/// Synchronous successive halving, one or several brackets at a time: the common part of
/// `successive-halving` and `hyperband`. A bracket waits until every trial of a rung has a result,
/// then its best go on together; meanwhile the next bracket begins, so that no slot is idle.

#include <functional>
#include <memory>
#include <vector>

#include "optimizer/scheduler.hpp"
#include "optimizer/schedulers/rungs.hpp"

namespace betatune {

/// How a bracket begins: `trials` new trials at rung `first` of the ladder.
struct BracketPlan {
  std::size_t trials = 1;
  std::size_t first = 0;
  bool promotes = true;  ///< the best go on; else all end there
};

/// The i-th bracket of Hyperband over so many rungs: the table of the paper, i = 0 the one with
/// most trials, and again from there after the last (Li et al. 2018, arXiv:1603.06560).
BracketPlan hyperband_bracket(std::size_t number, std::size_t rungs, double eta);

/// One bracket, a fold of what happened to its trials.
class Bracket {
 public:
  /// `rungs` of the whole ladder, each as the `empty` one; rung numbers below count on it.
  Bracket(BracketPlan plan, std::size_t rungs, const Rung& empty);

  const BracketPlan& plan() const { return plan_; }
  /// More new trials belong to it.
  bool filling() const { return !sealed_ && started_ < plan_.trials; }
  /// Nothing more can come of it.
  bool done() const;

  void start(TrialId trial);
  /// An attempt towards `rung` began: a promotion, or a retry.
  void aim(TrialId trial, std::size_t rung);
  void reach(const StudyState& state, const Trial& trial, std::size_t rung);
  void close(TrialId trial, Outcome outcome);

  struct Promotion {
    TrialId trial;
    std::size_t rung = 0;  ///< where it goes
  };
  /// The next trial that goes on. `may_start`: whether a bracket that is not full yet may still
  /// become so; at the budget's end it goes on with what it has.
  std::optional<Promotion> promotable(bool may_start) const;
  /// At the highest rung at which the trial has a result; its step is not known here.
  struct Place {
    std::size_t rung = 0;
    RungPlace at;
    std::size_t awaited = 0;  ///< trials on their way there, and new ones that belong to it
  };
  std::optional<Place> place_of(TrialId trial) const;

 private:
  struct Level {
    bool empty() const { return pending.empty() && results.size() == 0; }
    std::set<TrialId> pending;  ///< training towards it
    Rung results;
  };
  std::optional<TrialId> next_of(std::size_t rung) const;

  BracketPlan plan_;
  std::vector<Level> levels_;
  std::size_t started_ = 0;
  bool sealed_ = false;  ///< a first trial has gone on: the comparison of its first rung is over
};

/// A scheduler over brackets; `plan(i)` is the i-th bracket, i = 0, 1, 2 ...
class BracketScheduler final : public Scheduler {
 public:
  using Plan = std::function<BracketPlan(std::size_t)>;
  BracketScheduler(std::vector<Step> levels, double eta, std::size_t objectives, Plan plan);

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= levels_.back();
  }
  Step first_goal(const StudyState&, const Trial&) const override {
    return levels_[filling().first];
  }
  RungPlan rungs() const override { return {levels_, eta_, false, true}; }
  std::optional<RungStanding> standing(TrialId trial) const override;

 private:
  Bracket* bracket_of(TrialId trial);
  /// Where the next new trial belongs.
  BracketPlan filling() const;
  void begin(const AttemptStarted& started);

  std::vector<Step> levels_;
  double eta_;
  std::size_t objectives_;
  Plan plan_;
  std::map<std::size_t, Bracket> active_;  ///< by number; the last one may be filling
  std::map<TrialId, std::size_t> number_;  ///< bracket of a trial
  std::size_t begun_ = 0;
};

}  // namespace betatune
