#include "optimizer/verify_decisions.hpp"

#include <fmt/format.h>
#include <map>
#include <utility>

#include "optimizer/scheduler_replay.hpp"
#include "optimizer/width_choice.hpp"

namespace betatune {
namespace {

std::string text_of(const std::optional<Assignment>& answer) {
  if (!answer) return "wait";
  if (const auto* resume = std::get_if<Resume>(&*answer)) {
    return fmt::format("trial {} goes on to step {}", resume->trial.n, resume->until);
  }
  if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
    const Parent& parent = exploit->parent;
    return fmt::format("a copy of trial {} at step {} trains to step {} in place of {}, with {}",
                       parent.trial.n, parent.step, exploit->until,
                       parent.replaces ? fmt::format("trial {}", parent.replaces->n) : "nobody",
                       json_text(to_json(exploit->configuration)));
  }
  return fmt::format("a new trial starts towards step {}", std::get<StartNew>(*answer).until);
}

class DecisionVerifier {
 public:
  DecisionVerifier(const StudyStore& store, const SpecOfDocument& spec_of)
      : replay_(store, spec_of) {}

  Status take(const Event& event) {
    if (replay_.scheduler() != nullptr) compare(event);
    return replay_.take(event);
  }
  const DecisionVerification& result() const { return out_; }

 private:
  const StudyState& state() const { return replay_.state(); }
  const Scheduler& scheduler() const { return *replay_.scheduler(); }

  void compare(const Event& event) {
    if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
      // The scheduler asked for it before it was there.
      auto& asked = asked_[created->trial] = scheduler().next(state(), true);
      const bool copies = asked && std::holds_alternative<Exploit>(*asked);
      // Whether the searcher had anything new is not in the log.
      if (created->parent && !copies) asked = scheduler().next_unsearched(state());
    } else if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
      compare(*started);
      if (started->width) compare_width(*started);
    } else if (const auto* decided = std::get_if<Decided>(&event.fact)) {
      if (decided->by == "scheduler") compare(*decided);
    }
  }

  void compare(const AttemptStarted& started) {
    const Trial& trial = state().trials[started.trial];
    const bool resumes = trial.state == TrialState::paused;
    if (!resumes && trial.until > 0) return;  // again what was lost or failed: nothing was decided
    const Assignment recorded = recorded_as(trial, started.until);
    const auto before = asked_.extract(started.trial);
    const std::optional<Assignment> answer =
        before.empty() ? scheduler().next(state(), true) : before.mapped();
    const bool same =
        text_of(answer) == text_of(recorded) || may_have_answered(recorded, trial, resumes);
    note(same, {started.trial, started.attempt, text_of(recorded), text_of(answer)});
  }

  static Assignment recorded_as(const Trial& trial, Step until) {
    if (trial.state == TrialState::paused) return Resume{trial.id, until};
    if (trial.parent) return Exploit{*trial.parent, *trial.configuration, until, {}};
    return StartNew{until};
  }

  /// Whether it is what the scheduler says to what else it may have been asked.
  bool may_have_answered(const Assignment& recorded, const Trial& trial, bool resumes) const {
    // Whether another trial might have started is not in the log.
    if (resumes) {
      return text_of(scheduler().next(state(), false)) == text_of(recorded) ||
             text_of(scheduler().next_unsearched(state())) == text_of(recorded);
    }
    if (text_of(scheduler().next(state(), true)) == text_of(recorded)) return true;
    // One that nobody asked for, such as a confirmation.
    const Step goal = scheduler().first_goal(state(), trial);
    return text_of(StartNew{goal}) == text_of(recorded);
  }

  /// The free slots are the trainer's own affair, and recorded.
  void compare_width(const AttemptStarted& started) {
    const ChosenWidth& recorded = *started.width;
    const auto& widths = replay_.spec().resources.widths;
    int again = 0;
    if (widths && recorded.free >= widths->narrowest()) {
      again = choose_width(*widths, ScalingCurve(*widths, state().rates),
                           {started.until, scheduler().rungs().levels, recorded.free});
    }
    note(again == recorded.ranks,
         {started.trial, started.attempt, fmt::format("{} ranks", recorded.ranks),
          again > 0 ? fmt::format("{} ranks", again) : "no choice of ranks"});
  }

  void compare(const Decided& decided) {
    const Trial& trial = state().trials[decided.trial];
    const Observation* at = trial.observed_at(decided.step);
    if (at == nullptr) return;
    const Action again = scheduler().judge(state(), trial, *at).action;
    note(again == decided.action,
         {decided.trial, decided.attempt, std::string(to_name(decided.action)),
          std::string(to_name(again))});
  }

  void note(bool same, DecisionDifference difference) {
    ++(same ? out_.verified : out_.differing);
    if (!same && !out_.first) out_.first = std::move(difference);
  }

  SchedulerReplay replay_;
  std::map<TrialId, std::optional<Assignment>> asked_;
  DecisionVerification out_;
};

}  // namespace

Result<DecisionVerification> verify_decisions(const StudyStore& store, Sequence last,
                                              const SpecOfDocument& spec_of) {
  DecisionVerifier verifier(store, spec_of);
  BETATUNE_CHECK(
      for_each_event(store, last, [&](const Event& event) { return verifier.take(event); }));
  return verifier.result();
}

}  // namespace betatune
