#include "optimizer/verify_decisions.hpp"

#include <fmt/format.h>
#include <map>
#include <utility>

#include "optimizer/scheduler.hpp"

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
      : store_(store), spec_of_(spec_of) {}

  Status take(const Event& event) {
    if (scheduler_) compare(event);
    BETATUNE_CHECK(apply(state_, event));
    const bool begins = std::holds_alternative<StudyCreated>(event.fact);
    if (begins || std::holds_alternative<DocumentChanged>(event.fact)) return make_anew(event.seq);
    scheduler_->observe(state_, event);
    return Ok{};
  }
  const DecisionVerification& result() const { return out_; }

 private:
  /// As a process does that starts with another study file: the whole log for the new scheduler.
  Status make_anew(Sequence until) {
    BETATUNE_TRY(const auto spec, spec_of_(state_.document));
    Diagnostics problems;
    scheduler_ = make_scheduler(*spec, problems);
    if (!scheduler_) {
      return Error{ErrorKind::invalid_argument, problems.problems().front().message};
    }
    StudyState folded;
    return for_each_event(store_, until, [&](const Event& event) -> Status {
      BETATUNE_CHECK(apply(folded, event));
      scheduler_->observe(folded, event);
      return Ok{};
    });
  }

  void compare(const Event& event) {
    if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
      // The scheduler asked for it before it was there.
      auto& asked = asked_[created->trial] = scheduler_->next(state_, true);
      const bool copies = asked && std::holds_alternative<Exploit>(*asked);
      // Whether the searcher had anything new is not in the log.
      if (created->parent && !copies) asked = scheduler_->next_unsearched(state_);
    } else if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
      compare(*started);
    } else if (const auto* decided = std::get_if<Decided>(&event.fact)) {
      if (decided->by == "scheduler") compare(*decided);
    }
  }

  void compare(const AttemptStarted& started) {
    const Trial& trial = state_.trials[started.trial];
    const bool resumes = trial.state == TrialState::paused;
    if (!resumes && trial.until > 0) return;  // again what was lost or failed: nothing was decided
    const Assignment recorded = recorded_as(trial, started.until);
    const auto before = asked_.extract(started.trial);
    const std::optional<Assignment> answer =
        before.empty() ? scheduler_->next(state_, true) : before.mapped();
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
      return text_of(scheduler_->next(state_, false)) == text_of(recorded) ||
             text_of(scheduler_->next_unsearched(state_)) == text_of(recorded);
    }
    if (text_of(scheduler_->next(state_, true)) == text_of(recorded)) return true;
    // One that nobody asked for, such as a confirmation.
    const Step goal = scheduler_->first_goal(state_, trial);
    return text_of(StartNew{goal}) == text_of(recorded);
  }

  void compare(const Decided& decided) {
    const Trial& trial = state_.trials[decided.trial];
    const Observation* at = trial.observed_at(decided.step);
    if (at == nullptr) return;
    const Action again = scheduler_->judge(state_, trial, *at).action;
    note(again == decided.action,
         {decided.trial, decided.attempt, std::string(to_name(decided.action)),
          std::string(to_name(again))});
  }

  void note(bool same, DecisionDifference difference) {
    ++(same ? out_.verified : out_.differing);
    if (!same && !out_.first) out_.first = std::move(difference);
  }

  const StudyStore& store_;
  const SpecOfDocument& spec_of_;
  StudyState state_;
  std::unique_ptr<Scheduler> scheduler_;
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
