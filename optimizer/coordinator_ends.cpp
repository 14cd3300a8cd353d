/// How attempts, trials and the study end.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/coordinator.hpp"
#include "searchspaces/limits.hpp"
#include "transport/plain_text.hpp"

namespace betatune {
namespace {

int retries(const RetrySpec& retry, FailureClass failure) {
  switch (failure) {
    case FailureClass::user:
      return retry.user;
    case FailureClass::oom:
      return retry.oom;
    case FailureClass::timeout:
      return retry.timeout;
    case FailureClass::checkpoint:
    case FailureClass::infra:
      return retry.infra;
    case FailureClass::diverged:
      break;
  }
  return retry.diverged;
}

Monotonic to_monotonic(const Duration& duration) {
  return Monotonic(static_cast<std::int64_t>(duration.seconds * 1e6));
}

/// At most `limits::kErrorTextBytes`, not cut inside a UTF-8 character.
std::string shortened(std::string text) {
  if (text.size() <= limits::kErrorTextBytes) return text;
  std::size_t end = limits::kErrorTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0u) == 0x80u) --end;
  text.resize(end);
  return text;
}

/// Whether the present attempt has said what the trial has come to. What an earlier one said is no
/// result of this one: who trained on and reported nothing would be compared by its shorter
/// training.
bool has_reported_objective(const Trial& trial) {
  return std::ranges::any_of(trial.observations, [&](const Observation& each) {
    return each.attempt == trial.attempt && each.loss;
  });
}

/// Whether one trial that meets all limits reaches the targets of all objectives.
bool reaches_all_targets(const StudySpec& spec, const StudyState& state) {
  return std::ranges::any_of(state.trials, [&](const Trial& trial) {
    if (!trial.standing || trial.standing->violation != 0) return false;
    const std::vector<double> losses = state.outcomes.losses(*trial.loss, trial.outcomes);
    for (std::size_t j = 0; j < losses.size(); ++j) {
      const ObjectiveSpec& objective = spec.objectives[j];
      const double target = *objective.target;
      // Not met by what is not known (NaN).
      if (!(losses[j] <= (objective.goal == Goal::maximize ? -target : target))) return false;
    }
    return true;
  });
}

}  // namespace

Monotonic Coordinator::lease() const {
  return to_monotonic(spec_->server.lease);
}

bool Coordinator::resumable() const {
  return spec_->fidelity && spec_->fidelity->resumable;
}

/// After an attempt's end: is the trial over? If not, it waits for a retry or for its promotion.
void Coordinator::settle(TrialId id) {
  const Trial& trial = state_.trials[id];
  if (trial.state == TrialState::paused) {
    if (trial.replaced_by || trial.last_end == AttemptEnd::stopped) {
      close_trial(id, Outcome::stopped);
    } else if (trial.last_end == AttemptEnd::reached &&
               policies_.scheduler->completes(state_, trial)) {
      close_trial(id, Outcome::completed);
    }
    return;
  }
  if (trial.state != TrialState::created || !trial.last_failure) return;
  const auto charged = trial.failures.find(*trial.last_failure);
  if (charged == trial.failures.end()) return;
  if (charged->second > retries(spec_->trials.retry, *trial.last_failure)) {
    close_trial(id, Outcome::failed);
  }
}

/// The present attempt's reports and a checkpoint up to its last step are durable: whatever became
/// of it then, only its DONE is missing. What an earlier attempt did says nothing of this one.
bool Coordinator::work_is_whole(const Trial& trial) const {
  if (!resumable() || !trial.checkpoint || trial.checkpoint->step < trial.until) return false;
  if (!state_.outcomes.what_is_missing(trial.watched).empty()) return false;
  return std::ranges::any_of(trial.observations, [&](const Observation& each) {
    return each.attempt == trial.attempt && each.step >= trial.until && each.loss;
  });
}

/// What an attempt has come to although its trainer lost it: what was decided, or its end.
std::optional<AttemptEnd> Coordinator::end_in_spite_of_loss(const Trial& trial) const {
  if (trial.decided == Action::stop) return AttemptEnd::stopped;
  if (trial.decided == Action::pause) return AttemptEnd::paused;
  if (work_is_whole(trial)) return AttemptEnd::reached;
  return std::nullopt;
}

/// Ends an attempt whose trainer can no longer end it.
void Coordinator::end_lost(TrialId id, bool charged, const std::string& message) {
  const Trial& trial = state_.trials[id];
  AttemptEnded fact{id, trial.attempt, AttemptEnd::lost, trial.step, {}, message, charged};
  if (trial.diverged) {
    fact.end = AttemptEnd::failed;
    fact.failure = FailureClass::diverged;
  } else if (const auto end = end_in_spite_of_loss(trial)) {
    fact.end = *end;
  } else {
    fact.failure = FailureClass::infra;
  }
  emit(std::move(fact));
  settle(id);
}

/// An attempt that found its checkpoint damaged as it began. It is not charged to the retries:
/// there can be only as many of them as there are checkpoints, because each takes one away.
bool Coordinator::falls_back(const Done& done) const {
  const Trial& trial = state_.trials[done.trial];
  return done.end == AttemptEnd::failed && done.failure == FailureClass::checkpoint &&
         trial.from > 0 && trial.last_seq == 0 && !end_in_spite_of_loss(trial);
}

/// How a trainer's DONE is recorded: what it said, unless the facts say otherwise.
AttemptEnded Coordinator::ending_of(const Done& done) const {
  const Trial& trial = state_.trials[done.trial];
  AttemptEnded fact{done.trial, done.attempt,
                    done.end,   std::max<Step>(done.step, 0),
                    {},         shortened(plain_text(done.message)),
                    true};
  if (done.end == AttemptEnd::lost) {
    fact.end = AttemptEnd::failed;
    fact.failure = FailureClass::infra;
  } else if (done.end == AttemptEnd::failed) {
    fact.failure = done.failure.value_or(FailureClass::user);
  }
  if (falls_back(done)) {
    fact.charged = false;
    return fact;
  }
  if (fact.failure == FailureClass::checkpoint) fact.failure = FailureClass::infra;
  if (trial.diverged && fact.failure.value_or(FailureClass::user) == FailureClass::user) {
    fact.end = AttemptEnd::failed;
    fact.failure = FailureClass::diverged;
    fact.message = fmt::format("`{}` was not finite", spec_->objective.metric);
  } else if (fact.end == AttemptEnd::reached && !has_reported_objective(trial)) {
    fact.end = AttemptEnd::failed;
    fact.failure = FailureClass::user;
    fact.message = fmt::format("ended without reporting `{}`", spec_->objective.metric);
  } else if (const std::string missing = state_.outcomes.what_is_missing(trial.watched);
             fact.end == AttemptEnd::reached && !missing.empty()) {
    fact.end = AttemptEnd::failed;
    fact.failure = FailureClass::user;
    fact.message = missing;
  } else if (fact.failure == FailureClass::infra && end_in_spite_of_loss(trial)) {
    fact.end = *end_in_spite_of_loss(trial);
    fact.failure.reset();
  } else if (fact.end == AttemptEnd::paused && trial.decided == Action::stop) {
    fact.end = AttemptEnd::stopped;
  } else if (fact.end == AttemptEnd::stopped && trial.decided == Action::pause) {
    fact.end = AttemptEnd::paused;
  }
  return fact;
}

void Coordinator::decide(TrialId id, Action action, const std::string& by,
                         const std::string& reason) {
  const Trial& trial = state_.trials[id];
  if (trial.decided == Action::stop || trial.decided == action) return;
  emit(Decided{id, trial.attempt, action, trial.step, by, reason});
  send_decision(state_.trials[id], reason);
}

void Coordinator::send_decision(const Trial& trial, const std::string& reason) {
  send_to(trial.trainer, Decision{trial.id, trial.attempt, *trial.decided, reason});
}

void Coordinator::expire_leases() {
  std::vector<TrainerId> silent;
  for (const auto& [id, trainer] : roster_.all()) {
    if (now_ - trainer.seen >= lease()) silent.push_back(id);
  }
  for (const TrainerId& id : silent) {
    roster_.leave(id);
    refresh_free(id);
    const auto held = held_by_.find(id);
    if (held == held_by_.end()) continue;
    const std::set<TrialId> ours = held->second;
    for (const TrialId trial : ours) end_lost(trial, true, "its trainer was silent too long");
  }
  // Attempts of an earlier run whose trainers have not come back to this one.
  const bool waits = now_ - started_ < options_.rejoin_grace.value_or(lease());
  const std::string& dead = options_.launched_before;
  std::vector<TrialId> orphans;
  for (const auto& [trainer, trials] : held_by_) {
    const bool may_come = waits && (dead.empty() || !trainer.starts_with(dead));
    if (may_come || roster_.find(trainer) != nullptr) continue;
    orphans.insert(orphans.end(), trials.begin(), trials.end());
  }
  for (const TrialId id : orphans) end_lost(id, false, "its trainer did not come back");
}

/// After every input: what may start starts, and what is over is closed.
void Coordinator::conclude() {
  if (finished_) return;
  if (!ending_) {
    ending_ = limit_reached();
    if (ending_) {
      const std::set<TrialId> running = state_.running;
      for (const TrialId id : running)
        decide(id, Action::stop, "optimizer", "study ends: " + *ending_);
    }
  }
  dispatch();
  if (!state_.running.empty()) return;
  if (ending_) return close_study(*ending_);
  if (const auto end = natural_end()) {
    if (!confirm_best()) return close_study(*end);
    dispatch();
    if (!state_.running.empty()) return;
  }
  if (!draining_) return;
  finished_ = "drained";
  effects_.finished = finished_;
  say_bye("drained", true);
}

Monotonic Coordinator::active() const {
  return Monotonic(active_before_us_) + (now_ - started_);
}

std::vector<Budget> Coordinator::budgets() const {
  const std::int64_t later_us = active().count() - state_.active_us;
  return budgets_of(spec_->stopping, state_.used_after(later_us));
}

bool Coordinator::target_reached() const {
  if (!spec_->objective.target || !state_.best) return false;
  if (spec_->objectives.size() > 1) return reaches_all_targets(*spec_, state_);
  const double target = *spec_->objective.target;
  const Standing& best = *state_.trials[*state_.best].standing;
  return best.violation == 0 &&
         best.loss <= (spec_->objective.goal == Goal::maximize ? -target : target);
}

std::optional<std::string> Coordinator::limit_reached() const {
  if (target_reached()) return "target";
  const auto& max_failed = spec_->trials.max_failed;
  if (max_failed && state_.failed_count() >= *max_failed) return "failures";
  const auto& wall_time = spec_->stopping.wall_time;
  if (wall_time && active() >= to_monotonic(*wall_time)) return "wall_time";
  for (const Budget& each : budgets()) {
    if (each.is_used_up()) return each.name;
  }
  return std::nullopt;
}

/// Nothing runs: can anything still start? Not while retries wait, or the scheduler has more to do.
std::optional<std::string> Coordinator::natural_end() const {
  if (!state_.waiting.empty()) return std::nullopt;
  const bool in_hand = !state_.enqueued.empty() || !initial_.empty() || !queue_.empty();
  if (ask_scheduler(in_hand || !exhausted_)) return std::nullopt;
  if (!trials_left()) return "trials";
  return budget_left() ? "exhausted" : "no_gain";
}

/// Whether a closed study has nothing more to do under the present study file.
bool Coordinator::stays_closed() const {
  if (!state_.closed_reason) return false;
  const std::string& reason = *state_.closed_reason;
  if (reason == "trials") return !trials_left() && unconfirmed().empty();
  if (reason == "no_gain") return !budget_left() && unconfirmed().empty();
  if (reason == "exhausted") return state_.enqueued.empty() && state_.document == spec_->document;
  const auto& wall_time = spec_->stopping.wall_time;
  if (reason == "wall_time") {
    return wall_time && Monotonic(active_before_us_) >= to_monotonic(*wall_time);
  }
  for (const Budget& each : budgets()) {
    if (each.name == reason) return each.is_used_up();
  }
  const auto& max_failed = spec_->trials.max_failed;
  if (reason == "failures") return max_failed && state_.failed_count() >= *max_failed;
  return target_reached();
}

void Coordinator::close_trial(TrialId id, Outcome outcome) {
  const bool counts = outcome == Outcome::completed || outcome == Outcome::stopped;
  emit(TrialClosed{id, outcome, counts ? state_.trials[id].loss : std::nullopt});
}

void Coordinator::close_study(const std::string& reason) {
  const std::set<TrialId> paused = state_.paused;
  const std::set<TrialId> waiting = state_.waiting;
  for (const TrialId id : paused) close_trial(id, Outcome::stopped);
  for (const TrialId id : waiting) close_trial(id, Outcome::cancelled);
  emit(StudyClosed{reason});
  finished_ = reason;
  effects_.finished = finished_;
  say_bye(reason, true);
}

void Coordinator::say_bye(const std::string& reason, bool drain) {
  for (const auto& [id, trainer] : roster_.all()) send(trainer.peer, Bye{reason, drain});
}

}  // namespace betatune
