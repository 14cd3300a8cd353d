#include "optimizer/decisions.hpp"

#include <limits>

#include "optimizer/schedulers/rungs.hpp"

namespace betatune {
namespace {

bool is_paused(const StudyState& state, TrialId trial) {
  return trial.n < state.trials.size() && state.trials[trial].state == TrialState::paused;
}

}  // namespace

/// Where the trial stands at this moment, and what of it a decision comes from.
void DecisionTrace::ask(RungDecision& decision) const {
  const Scheduler& scheduler = *replay_.scheduler();
  decision.standing = scheduler.standing(decision.trial);
  if (decision.standing) decision.step = decision.standing->step;
  if (wanted_.basis) decision.basis = scheduler.basis(state(), state().trials[decision.trial]);
}

std::optional<RungDecision> DecisionTrace::of_paused(TrialId trial, RungVerdict verdict) const {
  if (!wants(trial) || !is_paused(state(), trial)) return std::nullopt;
  RungDecision out{.trial = trial, .verdict = verdict, .step = state().trials[trial].until};
  ask(out);
  return out;
}

/// What the scheduler knew when it decided is what there was before the event.
std::optional<RungDecision> DecisionTrace::before(const Event& event) const {
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    auto out = of_paused(started->trial, RungVerdict::went_on);
    if (out) out->until = started->until;
    return out;
  }
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    if (!created->parent || !created->parent->replaces) return std::nullopt;
    auto out = of_paused(*created->parent->replaces, RungVerdict::replaced);
    if (out) out->copy = created->trial;
    return out;
  }
  if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    const Trial& trial = state().trials[closed->trial];
    // Whoever was stopped or replaced was decided on before.
    const bool waits = trial.last_end == AttemptEnd::reached && !trial.replaced_by;
    if (!waits || closed->outcome == Outcome::completed) return std::nullopt;
    return of_paused(closed->trial, RungVerdict::not_taken);
  }
  const auto* decided = std::get_if<Decided>(&event.fact);
  if (decided == nullptr || decided->by != "scheduler" || !wants(decided->trial)) {
    return std::nullopt;
  }
  RungDecision out{.trial = decided->trial, .verdict = RungVerdict::stopped, .step = decided->step};
  ask(out);
  out.reason = decided->reason;
  return out;
}

std::optional<RungDecision> DecisionTrace::on(const AttemptEnded& ended) const {
  if (ended.end != AttemptEnd::reached || !wants(ended.trial)) return std::nullopt;
  const Scheduler& scheduler = *replay_.scheduler();
  const RungPlan plan = scheduler.rungs();
  if (plan.levels.empty() || plan.passing) return std::nullopt;
  const Trial& trial = state().trials[ended.trial];
  const bool last = scheduler.completes(state(), trial);
  RungDecision out{.trial = trial.id,
                   .verdict = last ? RungVerdict::finished : RungVerdict::paused,
                   .step = trial.until};
  out.standing = scheduler.standing(trial.id);
  return out;
}

std::optional<RungDecision> DecisionTrace::on(const Reported& reported) {
  if (!wants(reported.trial)) return std::nullopt;
  const RungPlan plan = replay_.scheduler()->rungs();
  if (!plan.passing) return std::nullopt;
  const int rung = rung_at(plan.levels, reported.step);
  const auto [highest, first] = passed_.emplace(reported.trial, -1);
  if (rung <= highest->second) return std::nullopt;
  RungDecision out{.trial = reported.trial, .verdict = RungVerdict::passed};
  ask(out);
  // Before the last objective that is reported of a step, it has no result there.
  if (!out.standing || rung_at(plan.levels, out.standing->step) < rung) return std::nullopt;
  highest->second = rung;
  const Trial& trial = state().trials[reported.trial];
  const Observation* at = trial.observed_at(reported.step);
  const bool ends = at != nullptr && at->loss && reported.step < trial.until &&
                    replay_.scheduler()->judge(state(), trial, *at).action != Action::go_on;
  if (ends) return std::nullopt;  // the next event says so
  if (rung + 1 == static_cast<int>(plan.levels.size())) out.verdict = RungVerdict::finished;
  return out;
}

std::optional<RungDecision> DecisionTrace::after(const Event& event) {
  if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) return on(*ended);
  if (const auto* reported = std::get_if<Reported>(&event.fact)) return on(*reported);
  return std::nullopt;
}

Result<std::optional<RungDecision>> DecisionTrace::take(const Event& event) {
  const bool wanted = event.seq > wanted_.after;
  std::optional<RungDecision> found;
  if (wanted && replay_.scheduler() != nullptr) found = before(event);
  BETATUNE_CHECK(replay_.take(event));
  if (wanted && !found) found = after(event);
  if (found) {
    found->seq = event.seq;
    found->at_us = event.at_us;
  }
  return found;
}

std::optional<RungDecision> DecisionTrace::waiting(TrialId trial) const {
  if (replay_.scheduler() == nullptr) return std::nullopt;
  auto out = of_paused(trial, RungVerdict::paused);
  if (out && !out->standing) out.reset();
  return out;
}

Result<TrialDecisions> read_decisions(const StudyStore& store, TrialId trial,
                                      const SpecOfDocument& spec_of) {
  TrialDecisions out;
  DecisionTrace trace(store, {.of = trial, .basis = true}, spec_of);
  BETATUNE_CHECK(for_each_event(store, std::numeric_limits<Sequence>::max(),
                                [&](const Event& event) -> Status {
                                  BETATUNE_TRY(auto decision, trace.take(event));
                                  if (decision) out.made.push_back(std::move(*decision));
                                  return Ok{};
                                }));
  out.waiting = trace.waiting(trial);
  return out;
}

}  // namespace betatune
