#pragma once
/// What the scheduler decided of each trial at each rung, and what it was decided from: the log is
/// folded up to the decision, and the scheduler of that moment is asked where the trial stood.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/scheduler_replay.hpp"

namespace betatune {

/// paused: it came to the rung, and waits. went_on: from there, as a paused one. passed: it was
/// judged as it came past. stopped: it was judged, and ends. replaced: it ends for a copy of
/// another one. not_taken: it was closed where it was paused. finished: it came to the last rung.
enum class RungVerdict { paused, went_on, passed, stopped, replaced, not_taken, finished };
constexpr auto enum_names(RungVerdict) {
  using enum RungVerdict;
  return std::array{
      EnumName<RungVerdict>{paused, "paused"},     EnumName<RungVerdict>{went_on, "went_on"},
      EnumName<RungVerdict>{passed, "passed"},     EnumName<RungVerdict>{stopped, "stopped"},
      EnumName<RungVerdict>{replaced, "replaced"}, EnumName<RungVerdict>{not_taken, "not_taken"},
      EnumName<RungVerdict>{finished, "finished"}};
}

struct RungDecision {
  Sequence seq = 0;  ///< of the event that says so
  std::int64_t at_us = 0;
  TrialId trial;
  RungVerdict verdict = RungVerdict::paused;
  Step step = 0;  ///< of the rung; where there is none, at which it was stopped
  /// Then; nothing if the scheduler has no rungs, or has closed the bracket.
  std::optional<RungStanding> standing = {};
  DecisionBasis basis = {};          ///< only if it was asked for
  std::string reason = {};           ///< stopped: in the scheduler's words
  std::optional<Step> until = {};    ///< went_on: to which step
  std::optional<TrialId> copy = {};  ///< replaced: the trial that began for it
};

struct DecisionsWanted {
  std::optional<TrialId> of = {};  ///< only this trial's
  Sequence after = 0;              ///< only later ones
  bool basis = false;              ///< with what a model had to do with them, which takes its time
};

/// Reads a log event by event.
class DecisionTrace {
 public:
  /// `store`: see SchedulerReplay.
  DecisionTrace(const StudyStore& store, DecisionsWanted wanted,
                SpecOfDocument spec_of = spec_of_document)
      : replay_(store, std::move(spec_of)), wanted_(wanted) {}

  /// The decision that the next event is, if it is one. Errors: see SchedulerReplay.
  Result<std::optional<RungDecision>> take(const Event& event);

  const StudyState& state() const { return replay_.state(); }
  /// Of a paused trial: as if it were decided now. Nothing if it is not paused at a rung.
  std::optional<RungDecision> waiting(TrialId trial) const;

 private:
  std::optional<RungDecision> before(const Event& event) const;
  std::optional<RungDecision> after(const Event& event);
  std::optional<RungDecision> on(const Reported& reported);
  std::optional<RungDecision> on(const AttemptEnded& ended) const;
  std::optional<RungDecision> of_paused(TrialId trial, RungVerdict verdict) const;
  void ask(RungDecision& decision) const;
  bool wants(TrialId trial) const { return !wanted_.of || *wanted_.of == trial; }

  SchedulerReplay replay_;
  DecisionsWanted wanted_;
  std::map<TrialId, int> passed_;  ///< rung that each trial has come past
};

/// All that was decided of one trial.
struct TrialDecisions {
  std::vector<RungDecision> made;       ///< in the order of the log
  std::optional<RungDecision> waiting;  ///< for the next one, as it would be now
};

/// With their basis. Errors: the store's; corrupt; invalid_argument if this version cannot make the
/// scheduler of the recorded study file.
Result<TrialDecisions> read_decisions(const StudyStore& store, TrialId trial,
                                      const SpecOfDocument& spec_of = spec_of_document);

}  // namespace betatune
