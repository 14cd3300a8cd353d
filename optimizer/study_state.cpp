#include "optimizer/study_state.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <utility>

#include "optimizer/standings.hpp"
#include "optimizer/trial_checkpoints.hpp"
#include "optimizer/trial_results.hpp"

namespace betatune {
namespace {

/// One overload per fact: checks that it may follow, then changes the state.
class Fold {
 public:
  Fold(StudyState& state, const Event& event) : state_(state), event_(event) {}

  Status on(const StudyCreated& fact) {
    if (state_.seq != 0) return refuse("a study is created once, by its first event");
    if (fact.schema > kLogSchema) {
      return Error{
          ErrorKind::unsupported,
          fmt::format("the log has schema {}, this build reads up to {}: use a newer version",
                      fact.schema, kLogSchema)};
    }
    state_.name = fact.name;
    state_.document = fact.document;
    state_.seed = fact.seed;
    state_.full_budget = full_budget_of(fact.document);
    state_.gpus = gpus_of(fact.document);
    BETATUNE_TRY(state_.outcomes, Outcomes::of(fact.document));
    state_.first_at_us = event_.at_us;
    return Ok{};
  }

  Status on(const OptimizerStarted& fact) {
    if (fact.epoch <= state_.epoch) {
      return refuse(fmt::format("epoch {} follows epoch {}", fact.epoch, state_.epoch));
    }
    state_.epoch = fact.epoch;
    state_.closed_reason.reset();
    return Ok{};
  }

  Status on(const DocumentChanged& fact) {
    state_.document = fact.document;
    state_.gpus = gpus_of(fact.document);
    const Step budget = full_budget_of(fact.document);
    BETATUNE_TRY(Outcomes outcomes, Outcomes::of(fact.document));
    const bool judged_otherwise = outcomes != state_.outcomes;
    if (!judged_otherwise && budget == state_.full_budget) return Ok{};
    state_.full_budget = budget;
    state_.outcomes = std::move(outcomes);
    if (judged_otherwise) judge_again(state_);
    update_all_standings(state_);
    return Ok{};
  }

  Status on(const EarlierStudyRead& fact) {
    for (const auto& each : state_.earlier) {
      if (each->study == fact.study) return refuse("an earlier study is read once");
    }
    state_.earlier.push_back(std::make_shared<const EarlierStudyRead>(fact));
    return Ok{};
  }

  Status on(const ConfigurationEnqueued& fact) {
    state_.enqueued.push_back(fact.configuration);
    return Ok{};
  }

  Status on(const TrialCreated& fact) {
    if (fact.trial.n != state_.trials.size()) {
      return refuse(
          fmt::format("trial {} is created where {} is next", fact.trial.n, state_.trials.size()));
    }
    if (fact.origin == kEnqueuedOrigin) {
      if (state_.enqueued.empty() || state_.enqueued.front() != fact.configuration) {
        return refuse("the configuration is not the first enqueued one");
      }
      state_.enqueued.pop_front();
    }
    if (fact.repeats) BETATUNE_CHECK(may_repeat(fact));
    Trial trial;
    if (fact.parent) BETATUNE_CHECK(descend(fact, trial));
    trial.id = fact.trial;
    trial.repeats = fact.repeats;
    trial.configuration = std::make_shared<const Configuration>(fact.configuration);
    trial.origin = fact.origin;
    if (!fact.note.is_null()) trial.note = std::make_shared<const Json>(fact.note);
    trial.created_at_us = event_.at_us;
    judge(trial, state_.outcomes);
    state_.trials.add(std::move(trial));
    if (fact.repeats) {
      state_.trials.edit(*fact.repeats).repeated_by.push_back(fact.trial);
      if (fact.origin == kConfirmOrigin) ++state_.confirmations;
      update_standing(state_, fact.trial);
    }
    if (fact.parent) {
      state_.trials.edit(fact.parent->trial).copied_by.push_back(fact.trial);
      const std::optional<TrialId>& ends = fact.parent->replaces;
      if (ends) state_.trials.edit(*ends).replaced_by = fact.trial;
    }
    state_.waiting.insert(fact.trial);
    if (fact.plan) state_.next_plan = std::max(state_.next_plan, *fact.plan + 1);
    return Ok{};
  }

  Status on(const AttemptStarted& fact) {
    BETATUNE_CHECK(known(fact.trial));
    const Trial& now = state_.trials[fact.trial];
    if (now.state != TrialState::created && now.state != TrialState::paused)
      return wrong_state(now);
    if (fact.attempt.n != now.attempt.n + 1) {
      return refuse(fmt::format("attempt {} of trial {} follows attempt {}", fact.attempt.n,
                                fact.trial.n, now.attempt.n));
    }
    if (fact.from < 0 || fact.from >= fact.until) {
      return refuse(fmt::format("trial {} is to train from step {} to {}", fact.trial.n, fact.from,
                                fact.until));
    }
    if (fact.from != (fact.checkpoint ? fact.checkpoint->step : 0)) {
      return refuse(fmt::format("trial {} starts at step {} without its checkpoint", fact.trial.n,
                                fact.from));
    }
    if (fact.width && (fact.width->ranks < 1 || fact.width->free < fact.width->ranks)) {
      return refuse(fmt::format("trial {} gets {} ranks of {} free slots", fact.trial.n,
                                fact.width->ranks, fact.width->free));
    }
    Trial& trial = move_to(fact.trial, TrialState::running);
    trial.attempt = fact.attempt;
    trial.trainer = fact.trainer;
    trial.last_seq = 0;
    trial.resumed_from = fact.checkpoint;
    trial.from = trial.step = fact.from;
    trial.until = fact.until;
    trial.trained = 0;
    trial.began_us = state_.active_us;
    trial.ranks = fact.width ? fact.width->ranks : 0;
    trial.gpus =
        gpus_of_attempt(state_.gpus, fact.width ? std::optional(trial.ranks) : std::nullopt);
    state_.running_gpus += trial.gpus;
    trial.decided.reset();
    trial.decided_by.clear();
    trial.diverged = false;
    if (trial.started_at_us == 0) trial.started_at_us = event_.at_us;
    return Ok{};
  }

  Status on(const Reported& fact) {
    BETATUNE_CHECK(current(fact.trial, fact.attempt));
    const std::uint64_t last = state_.trials[fact.trial].last_seq;
    if (fact.seq != last + 1) {
      return refuse(
          fmt::format("report {} of trial {} follows report {}", fact.seq, fact.trial.n, last));
    }
    Trial& trial = state_.trials.edit(fact.trial);
    trial.last_seq = fact.seq;
    trial.diverged = trial.diverged || fact.diverged;
    if (trial.observations.empty() || fact.step > trial.observations.back().step) {
      trial.last_metrics = fact.metrics;
    } else if (fact.step == trial.observations.back().step) {
      for (const auto& [name, number] : fact.metrics) trial.last_metrics[name] = number;
    }
    state_.outcomes.remember(fact.metrics, trial.watched);
    judge(trial, state_.outcomes);
    observe(trial, fact, event_.at_us);
    measure_rate(state_, trial, fact);
    trial.step = std::max(trial.step, fact.step);
    count_steps(trial, trial.step);
    return Ok{};
  }

  /// The first content counts: the second is kept in the log alone.
  Status on(const ReportConflicted& fact) {
    const Reported& second = fact.report;
    BETATUNE_CHECK(current(second.trial, second.attempt));
    if (second.seq >= 1 && second.seq <= state_.trials[second.trial].last_seq) return Ok{};
    return refuse(
        fmt::format("report {} of trial {} conflicts with none", second.seq, second.trial.n));
  }

  Status on(const CheckpointSaved& fact) {
    BETATUNE_CHECK(current(fact.trial, fact.attempt));
    remember_checkpoint(state_.trials.edit(fact.trial), fact.artifact);
    return Ok{};
  }

  Status on(const Decided& fact) {
    BETATUNE_CHECK(current(fact.trial, fact.attempt));
    if (fact.action == Action::go_on) return refuse("`continue` is not recorded");
    const auto before = state_.trials[fact.trial].decided;
    // A pause may still become a stop; a stop is final.
    if (before && !(*before == Action::pause && fact.action == Action::stop)) {
      return refuse(fmt::format("trial {} is already to {}", fact.trial.n, to_name(*before)));
    }
    Trial& trial = state_.trials.edit(fact.trial);
    trial.decided = fact.action;
    trial.decided_by = fact.by;
    return Ok{};
  }

  Status on(const AttemptEnded& fact) {
    BETATUNE_CHECK(current(fact.trial, fact.attempt));
    if (fact.end == AttemptEnd::failed && !fact.failure)
      return refuse("a failure without its class");
    const bool by_scheduler = state_.trials[fact.trial].decided_by == "scheduler";
    Trial& trial = move_to(fact.trial, state_after(fact.end, by_scheduler));
    trial.last_end = fact.end;
    // Whoever died may not have said how far it came: what was reported was trained.
    count_steps(trial, fact.step);
    state_.running_gpus -= trial.gpus;
    if (trial.ranks > 0) state_.rates.end_attempt(fact.trial, trial.ranks);
    trial.step = fact.step;
    if (fact.end == AttemptEnd::failed || fact.end == AttemptEnd::lost) {
      trial.last_failure = fact.failure.value_or(FailureClass::infra);
      trial.message = fact.message;
      if (fact.charged) ++trial.failures[*trial.last_failure];
      if (fact.failure == FailureClass::checkpoint && trial.resumed_from) {
        forget_damaged_checkpoint(state_, fact.trial);
      }
    } else {
      const bool over = fact.end == AttemptEnd::reached || by_scheduler;
      if (over && trial.checkpoint && trial.checkpoint->step == fact.step) trial.at_rung = true;
      set_result(state_, fact.trial, result_of(state_, trial));
    }
    return Ok{};
  }

  Status on(const TrialClosed& fact) {
    BETATUNE_CHECK(known(fact.trial));
    const Trial& now = state_.trials[fact.trial];
    if (now.state != TrialState::created && now.state != TrialState::paused)
      return wrong_state(now);
    Trial& trial = move_to(fact.trial, TrialState::closed);
    trial.outcome = fact.outcome;
    trial.ended_at_us = event_.at_us;
    ++state_.closed[fact.outcome];
    state_.rates.forget(fact.trial);
    const bool counts = fact.outcome == Outcome::completed || fact.outcome == Outcome::stopped;
    if (!counts) set_result(state_, fact.trial, std::nullopt);
    // Repeats count when the last of them is over.
    update_standing(state_, fact.trial);
    return Ok{};
  }

  Status on(const StudyClosed& fact) {
    if (!state_.running.empty()) return refuse("trials are running");
    state_.closed_reason = fact.reason;
    return Ok{};
  }

  Status refuse(const std::string& why) const {
    return Error{ErrorKind::corrupt,
                 fmt::format("event {} ({}): {}", event_.seq, fact_type(event_.fact), why)};
  }

 private:
  /// The transition table's last column: where an attempt's end leaves its trial. A pause that the
  /// scheduler did not ask for (a drain, a trainer that must leave) is an interruption: the trial
  /// goes on as soon as it can.
  static TrialState state_after(AttemptEnd end, bool by_scheduler) {
    switch (end) {
      case AttemptEnd::reached:
      case AttemptEnd::stopped:
        return TrialState::paused;
      case AttemptEnd::paused:
        return by_scheduler ? TrialState::paused : TrialState::created;
      case AttemptEnd::failed:
      case AttemptEnd::lost:
        break;
    }
    return TrialState::created;
  }

  Status wrong_state(const Trial& trial) const {
    return refuse(fmt::format("trial {} is {}", trial.id.n, to_name(trial.state)));
  }
  Status known(TrialId id) const {
    if (id.n < state_.trials.size()) return Ok{};
    return refuse(fmt::format("there is no trial {}", id.n));
  }
  Status current(TrialId id, AttemptId attempt) const {
    BETATUNE_CHECK(known(id));
    const Trial& trial = state_.trials[id];
    if (trial.state != TrialState::running) return wrong_state(trial);
    if (trial.attempt == attempt) return Ok{};
    return refuse(fmt::format("attempt {} of trial {} is not current, {} is", attempt.n, id.n,
                              trial.attempt.n));
  }

  Status may_repeat(const TrialCreated& fact) const {
    BETATUNE_CHECK(known(*fact.repeats));
    const Trial& first = state_.trials[*fact.repeats];
    if (!first.repeats && *first.configuration == fact.configuration) return Ok{};
    return refuse(
        fmt::format("trial {} does not have the configuration of trial {}, or that one "
                    "repeats another itself",
                    fact.trial.n, fact.repeats->n));
  }

  Status descend(const TrialCreated& fact, Trial& trial) const {
    const Parent& parent = *fact.parent;
    BETATUNE_CHECK(known(parent.trial));
    if (fact.repeats) return refuse("a trial that repeats another one has no parent");
    if (!inherit_checkpoints(trial, state_.trials[parent.trial], parent.step)) {
      return refuse(
          fmt::format("trial {} has no checkpoint of step {}", parent.trial.n, parent.step));
    }
    trial.parent = parent;
    if (!parent.replaces) return Ok{};
    BETATUNE_CHECK(known(*parent.replaces));
    const Trial& ends = state_.trials[*parent.replaces];
    if (ends.state != TrialState::paused && ends.state != TrialState::closed) {
      return wrong_state(ends);
    }
    if (!ends.replaced_by) return Ok{};
    return refuse(
        fmt::format("trial {} is replaced by trial {} already", ends.id.n, ends.replaced_by->n));
  }

  std::set<TrialId>* set_of(TrialState state) {
    switch (state) {
      case TrialState::created:
        return &state_.waiting;
      case TrialState::running:
        return &state_.running;
      case TrialState::paused:
        return &state_.paused;
      case TrialState::closed:
        break;
    }
    return nullptr;
  }
  Trial& move_to(TrialId id, TrialState to) {
    Trial& trial = state_.trials.edit(id);
    set_of(trial.state)->erase(id);
    if (auto* set = set_of(to)) set->insert(id);
    trial.state = to;
    return trial;
  }

  /// Towards the budget: the steps behind `from`, up to the goal at most (a trainer may say any
  /// number).
  void count_steps(Trial& trial, Step step) {
    const Step trained = std::clamp(step, trial.from, trial.until) - trial.from;
    if (trained <= trial.trained) return;
    state_.used.steps += trained - trial.trained;
    trial.trained = trained;
  }

  StudyState& state_;
  const Event& event_;
};

bool may_follow_the_end(const Fact& fact) {
  return std::holds_alternative<OptimizerStarted>(fact) ||
         std::holds_alternative<DocumentChanged>(fact) ||
         std::holds_alternative<ConfigurationEnqueued>(fact);
}

/// Wall-clock time is for people and for the budget of later runs; a clock that was set back adds
/// nothing, and the gap before an optimizer's start is not counted.
void advance_clock(StudyState& state, const Event& event) {
  const bool first_of_run = std::holds_alternative<OptimizerStarted>(event.fact) || state.seq == 0;
  if (!first_of_run) {
    const std::int64_t later_us = std::max<std::int64_t>(0, event.at_us - state.last_at_us);
    state.used = state.used_after(later_us);
    state.active_us += later_us;
  }
  state.last_at_us = event.at_us;
}

}  // namespace

Status apply(StudyState& state, const Event& event) {
  Fold fold(state, event);
  if (event.seq != state.seq + 1) {
    return fold.refuse(fmt::format("the sequence number does not follow {}", state.seq));
  }
  if (state.seq == 0 && !std::holds_alternative<StudyCreated>(event.fact)) {
    return fold.refuse("the first event must be study_created");
  }
  if (state.closed_reason && !may_follow_the_end(event.fact)) {
    return fold.refuse("the study is closed");
  }
  advance_clock(state, event);
  BETATUNE_CHECK(std::visit([&](const auto& fact) { return fold.on(fact); }, event.fact));
  state.seq = event.seq;
  return Ok{};
}

}  // namespace betatune
