#include "optimizer/coordinator.hpp"

#include <algorithm>

#include "optimizer/hash.hpp"
#include "optimizer/plan.hpp"
#include "optimizer/report_hash.hpp"
#include "searchspaces/log.hpp"

namespace betatune {

Coordinator::Coordinator(std::shared_ptr<const StudySpec> spec, Policies policies,
                         CoordinatorOptions options)
    : spec_(std::move(spec)), policies_(std::move(policies)), options_(std::move(options)) {
  BETATUNE_ASSERT(spec_ != nullptr);
  BETATUNE_ASSERT(policies_.searcher != nullptr);
  BETATUNE_ASSERT(policies_.scheduler != nullptr);
  initial_ = initial_points(*spec_);
}

Status Coordinator::replay(std::span<const Event> events) {
  for (const Event& event : events) {
    BETATUNE_CHECK(take(event, false));
  }
  return Ok{};
}

Effects Coordinator::start(Monotonic now) {
  now_ = started_ = now;
  active_before_us_ = state_.active_us;
  next_plan_ = state_.next_plan;
  if (state_.seq == 0) {
    emit(StudyCreated{kLogSchema, spec_->study.name, spec_->document,
                      spec_->study.seed.value_or(options_.fresh_seed), options_.build});
  } else if (stays_closed()) {
    finished_ = state_.closed_reason;
    effects_.finished = finished_;
    return finish_step();
  }
  if (!spec_->study.seed) {
    // Searchers take the seed from the study file; where it gives none, the recorded one counts.
    auto seeded = std::make_shared<StudySpec>(*spec_);
    seeded->study.seed = state_.seed;
    spec_ = std::move(seeded);
  }
  emit(OptimizerStarted{options_.epoch, options_.build, options_.user});
  if (state_.document != spec_->document) emit(DocumentChanged{spec_->document});
  for (EarlierStudyRead& each : earlier_) emit(std::move(each));
  earlier_.clear();
  // A log that was cut inside a group of facts may have an attempt's end without what follows.
  const std::set<TrialId> paused = state_.paused;
  const std::set<TrialId> waiting = state_.waiting;
  for (const TrialId id : paused) settle(id);
  for (const TrialId id : waiting) settle(id);
  repeat_last_plan();
  // Not the end of the study: what people have asked for meanwhile comes first, as steps.
  dispatch();
  return finish_step();
}

Effects Coordinator::step(const Input& input, Monotonic now) {
  now_ = std::max(now_, now);
  std::visit([this](const auto& each) { handle(each); }, input);
  conclude();
  return finish_step();
}

std::shared_ptr<const History> Coordinator::history() const {
  auto history = std::make_shared<History>();
  history->spec = spec_;
  history->trials = state_.trials;
  history->queued = spoken_for();
  history->seq = state_.seq;
  history->earlier = state_.earlier;
  return history;
}

Effects Coordinator::finish_step() {
  effects_.at_us = options_.wall_offset_us + now_.count();
  return std::exchange(effects_, Effects{});
}

Status Coordinator::take(const Event& event, bool live) {
  BETATUNE_CHECK(apply(state_, event));
  policies_.scheduler->observe(state_, event);
  track(event, live);
  return Ok{};
}

/// What the coordinator remembers beside the state, as a fold of the same events.
void Coordinator::track(const Event& event, bool live) {
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    seen_.insert(Hasher().add(created->configuration).value());
    if (!created->plan) return;
    if (!last_plan_ || last_plan_->plan != *created->plan) {
      last_plan_ = LastPlan{*created->plan, created->trial.n, 0};
    }
    ++last_plan_->used;
  } else if (const auto* enqueued = std::get_if<ConfigurationEnqueued>(&event.fact)) {
    seen_.insert(Hasher().add(enqueued->configuration).value());
  } else if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    Live entry;
    entry.this_run = live;
    if (live) entry.assigned = now_;
    live_[started->trial] = std::move(entry);
    held_by_[started->trainer].insert(started->trial);
    busy_[started->trainer] += state_.trials[started->trial].slots();
    refresh_free(started->trainer);
  } else if (const auto* reported = std::get_if<Reported>(&event.fact)) {
    live_.at(reported->trial).reports.push_back(report_hash(*reported));
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    const TrainerId trainer = state_.trials[ended->trial].trainer;
    live_.erase(ended->trial);
    auto held = held_by_.find(trainer);
    held->second.erase(ended->trial);
    if (held->second.empty()) held_by_.erase(held);
    int& busy = busy_.at(trainer);
    busy -= state_.trials[ended->trial].slots();
    if (busy == 0) busy_.erase(trainer);
    refresh_free(trainer);
  }
}

/// Facts of our own that the fold refuses would be a bug of this class, never anybody's input.
void Coordinator::emit(Fact fact) {
  Event event{state_.seq + 1, options_.wall_offset_us + now_.count(), std::move(fact)};
  if (const Status taken = take(event, true); !taken) {
    assertion_failed(
        "the fold takes our own facts", __FILE__, __LINE__,
        taken.error().message + ", study " + state_.name + ", seed " + std::to_string(state_.seed));
  }
  effects_.append.push_back(std::move(event.fact));
}

void Coordinator::send(const PeerId& to, Message message) {
  effects_.send.push_back(Outgoing{to, std::move(message)});
}

void Coordinator::send_to(const TrainerId& trainer, Message message) {
  // A trainer that is away learns it from the answer to its next HELLO or BEAT.
  if (const TrainerEntry* entry = roster_.find(trainer)) send(entry->peer, std::move(message));
}

void Coordinator::handle(const Tick&) {
  expire_leases();
}

void Coordinator::handle(const EnqueueRequest& request) {
  if (const Status checked = spec_->space.check(request.configuration); !checked) {
    log().warn("an enqueued configuration is refused: {}", checked.error().message);
    return;
  }
  if (!finished_) emit(ConfigurationEnqueued{request.configuration, request.user});
}

void Coordinator::handle(const StopTrialRequest& request) {
  if (finished_ || request.trial.n >= state_.trials.size()) return;
  const Trial& trial = state_.trials[request.trial];
  if (trial.state == TrialState::running) {
    decide(request.trial, Action::stop, "user", "asked to stop");
  } else if (trial.state != TrialState::closed) {
    close_trial(request.trial, trial.result ? Outcome::stopped : Outcome::cancelled);
  }
}

void Coordinator::handle(const DrainRequest& request) {
  if (finished_ || draining_) return;
  draining_ = true;
  if (!resumable()) return;
  const std::set<TrialId> running = state_.running;
  for (const TrialId id : running) decide(id, Action::pause, "drain", request.reason);
}

void Coordinator::handle(const CancelRequest&) {
  if (finished_) return;
  draining_ = true;
  const std::set<TrialId> running = state_.running;
  for (const TrialId id : running) end_lost(id, false, "cancelled");
  finished_ = "cancelled";
  effects_.finished = finished_;
  say_bye("cancelled", false);
}

}  // namespace betatune
