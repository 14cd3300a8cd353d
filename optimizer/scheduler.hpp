#pragma once
/// A scheduler decides how long each trial runs and who goes on: fifo, ASHA, Hyperband. Its memory
/// (rungs, brackets) is a fold of the log through observe(), so it survives any restart; decisions
/// are const. One file each in schedulers/.

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "optimizer/registry.hpp"
#include "optimizer/schedulers/rung_order.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

/// Begin a new trial and train it to `until`.
struct StartNew {
  Step until = 1;
  /// A paused trial that ends first, so that its place is free; only for what is enqueued.
  std::optional<TrialId> replaces = {};
};
/// Promote a paused trial: train it on to `until`.
struct Resume {
  TrialId trial;
  Step until = 1;
};
/// Begin a new trial from another one's checkpoint, with a configuration of the scheduler's or one
/// that is enqueued, and train it to `until`. What it replaces ends, if it has not ended already.
struct Exploit {
  Parent parent;
  Configuration configuration;
  Step until = 1;
  Json note = {};         ///< remembered with the trial: why
  bool enqueued = false;  ///< the configuration is the first of those that are enqueued
};
using Assignment = std::variant<StartNew, Resume, Exploit>;

struct Verdict {
  Action action = Action::go_on;
  std::string reason;
};

/// Where it compares trials, for people.
struct RungPlan {
  std::vector<Step> levels;  ///< steps, ascending; none: at no fixed ones
  double eta = 3;            ///< one in eta goes on
  bool passing = false;      ///< trials are judged as they come past a rung; else they end there
  bool brackets = false;     ///< only trials of one bracket are compared
};

/// For people: a trial among those with which it is compared, at the highest rung that it came to.
struct RungStanding {
  Step step = 0;  ///< of the rung
  RungPlace at;
  std::size_t awaited = 0;                  ///< trials whose results the comparison waits for
  std::optional<std::size_t> bracket = {};  ///< 0, 1, 2 ..., of the only trials that are compared
};

/// For people: what a choice by a model of the learning curves comes from.
struct ModelBasis {
  /// What a trial is expected to end in, and one deviation to either side; to be minimised.
  double loss = 0, loss_low = 0, loss_high = 0;
  double best = 0;           ///< the lowest loss at the end that is known
  double log_worth = 0;      ///< log of its stopping index, per step or second
  double log_worth_new = 0;  ///< the same of a new trial
  /// The paused trial, another one than this, that promises most; nothing if there is none.
  struct Rival {
    TrialId trial;
    double log_worth = 0;
    std::optional<double> seconds;  ///< as below
  };
  std::optional<Rival> rival = {};
  /// That a step is expected to take: of this trial, and of a new one. Nothing if steps are priced
  /// alike.
  std::optional<double> seconds = {}, seconds_new = {};
};
/// For people: what the median rule compares.
struct MedianBasis {
  double best = 0;         ///< of the trial, to be minimised
  double median = 0;       ///< of the running averages of the others
  std::size_t trials = 0;  ///< others
};
/// For people: why a trial is trained to the end that nothing speaks for but that it is unlike all
/// that were.
struct LeapBasis {
  double distance = 0;  ///< to the nearest of them, in the unit cube
};
/// Nothing: what a rung has says it all.
using DecisionBasis = std::variant<std::monostate, ModelBasis, MedianBasis, LeapBasis>;

class Scheduler {
 public:
  static constexpr const char* kOptionsPath = "algorithm.scheduler";

  virtual ~Scheduler() = default;

  /// Called once for every event in the order of the log (live and at replay), after `state` has
  /// it.
  virtual void observe(const StudyState& state, const Event& event) = 0;
  /// What a free slot should do. `may_start`: whether the budget allows another new trial. Nothing:
  /// wait for results, or (if nothing runs either) the study is done.
  virtual std::optional<Assignment> next(const StudyState& state, bool may_start) const = 0;
  /// The same where the budget allows a new trial, but the searcher has no new configuration for
  /// it.
  virtual std::optional<Assignment> next_unsearched(const StudyState& state) const {
    return next(state, false);
  }
  /// How far to train a trial that nobody asked it for at first: that was created, but has not
  /// begun when its optimizer was killed. By default to the end.
  virtual Step first_goal(const StudyState& state, const Trial&) const { return state.full_budget; }
  /// Asked after each report of a running trial, before its `until`.
  virtual Verdict judge(const StudyState& state, const Trial& trial,
                        const Observation& observation) const = 0;
  /// An attempt reached its `until`: is the trial complete, or paused to be compared?
  virtual bool completes(const StudyState& state, const Trial& trial) const = 0;
  /// Whether it begins trials from others' checkpoints (Exploit): what no log of other trainings
  /// can answer, and no trainer without checkpoints can do.
  virtual bool copies() const { return false; }
  virtual RungPlan rungs() const { return {}; }
  /// For people: what it has learned of where new trials should begin, may be empty.
  virtual std::string outlook(const StudyState&) const { return {}; }
  /// For people: nothing before the trial's first rung, where it failed, and if there are none.
  virtual std::optional<RungStanding> standing(TrialId) const { return std::nullopt; }
  /// For people: what next() or judge() would say something of the trial from, at this moment,
  /// beside its standing.
  virtual DecisionBasis basis(const StudyState&, const Trial&) const { return {}; }
};

using SchedulerRegistry = Registry<Scheduler, PolicyContext>;

/// The names in the registries that the study's policies mean, `auto` resolved: fifo without a
/// fidelity; with one freeze-thaw, or asha where that cannot be or would be slower than the
/// searcher.
std::string scheduler_name(const StudySpec& spec);
std::string searcher_name(const StudySpec& spec);

/// Made from the registry by those names; unknown ones are diagnostics with a suggestion.
std::unique_ptr<Scheduler> make_scheduler(const StudySpec& spec, Diagnostics& diagnostics);
std::unique_ptr<Searcher> make_searcher(const StudySpec& spec, Diagnostics& diagnostics);

}  // namespace betatune
