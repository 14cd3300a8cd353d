#include "optimizer/ask_tell.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/account.hpp"
#include "optimizer/monotonic_clock.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/requests.hpp"
#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"

namespace betatune {
namespace {

/// The trainer inside the process: its name in the log, and its connection.
constexpr const char* kDriver = "ask-tell";

Error wrong(const std::string& message) {
  return {ErrorKind::invalid_argument, message};
}

Json ok() {
  return Json{{"ok", true}};
}

}  // namespace

Result<std::unique_ptr<AskTell>> AskTell::open(StudySession session) {
  if (session.policies.scheduler->copies()) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("scheduler `{}` copies checkpoints, which ask-tell does not have; use "
                             "trainers (betatune run), or another scheduler",
                             scheduler_name(session.coordinator->spec()))};
  }
  std::unique_ptr<AskTell> opened(new AskTell(std::move(session)));
  BETATUNE_CHECK(opened->begin());
  return opened;
}

Status AskTell::begin() {
  Effects effects = session_.coordinator->start(monotonic_now());
  std::deque<Input> inputs;
  Sequence seq = state().seq - effects.append.size();
  for (Fact& fact : effects.append) {
    pending_.push_back(Event{++seq, effects.at_us, std::move(fact)});
  }
  if (effects.plan) {
    const PlanRequest& plan = *effects.plan;
    inputs.push_back(Planned{
        plan.plan, session_.policies.searcher->suggest(*plan.history, plan.count, plan.key)});
  }
  for (Input& input : inputs) give(std::move(input));
  adopt_running();
  return flush();
}

/// What the log says is running: the driver's own trials are still out; those of other trainers
/// (the study was run by `betatune run`) are lost, since no trainer can connect here.
void AskTell::adopt_running() {
  Hello hello;
  hello.trainer = kDriver;
  hello.session = "1";
  hello.slots = limits::kSlotsPerTrainer;
  std::set<TrainerId> others;
  for (const TrialId id : state().running) {
    const Trial& trial = state().trials[id];
    if (trial.trainer == kDriver) {
      hello.held.push_back(Held{id, trial.attempt, trial.last_seq, trial.step});
      if (!trial.decided) in_hand_.push_back(id);
    } else {
      others.insert(trial.trainer);
    }
  }
  give(Received{kDriver, std::move(hello)});
  for (const TrainerId& other : others) {
    Hello empty;
    empty.trainer = other;
    empty.session = "gone";
    give(Received{other, std::move(empty)});
    give(Received{other, Bye{"gone", false}});
  }
}

/// One input and all that follows from it inside the process: plans are computed at once, and a
/// trial that is told to stop or pause ends there.
void AskTell::give(Input input) {
  std::deque<Input> inputs;
  inputs.push_back(std::move(input));
  while (!inputs.empty()) {
    Effects effects = session_.coordinator->step(inputs.front(), monotonic_now());
    inputs.pop_front();
    Sequence seq = state().seq - effects.append.size();
    for (Fact& fact : effects.append) {
      pending_.push_back(Event{++seq, effects.at_us, std::move(fact)});
    }
    for (const Outgoing& each : effects.send) {
      if (each.to == kDriver) hear(each.message, inputs);
    }
    if (effects.plan) {
      const PlanRequest& plan = *effects.plan;
      inputs.push_back(Planned{
          plan.plan, session_.policies.searcher->suggest(*plan.history, plan.count, plan.key)});
    }
  }
}

void AskTell::hear(const Message& message, std::deque<Input>& inputs) {
  if (const auto* assign = std::get_if<Assign>(&message)) {
    in_hand_.push_back(assign->trial);
  } else if (const auto* decision = std::get_if<Decision>(&message)) {
    verdicts_[decision->trial] = decision->action;
    const Trial& trial = state().trials[decision->trial];
    const AttemptEnd end =
        decision->action == Action::pause ? AttemptEnd::paused : AttemptEnd::stopped;
    inputs.push_back(Received{
        kDriver, Done{trial.id, trial.attempt, trial.last_seq, trial.step, end, {}, "told to"}});
  } else if (const auto* refusal = std::get_if<Refusal>(&message)) {
    refusal_ = refusal->code + ": " + refusal->message;
  }
}

std::string AskTell::answer(std::string_view line) {
  verdicts_.clear();
  refusal_.clear();
  const auto request = parse_ask_tell(line);
  if (!request) return json_text(Json{{"error", request.error().message}});
  // What could not be stored before comes first: the disk may have space again.
  if (const Status stored = flush(); !stored)
    return json_text(Json{{"error", stored.error().message}});
  const Result<Json> result = obey(request.value());
  const Status stored = flush();
  if (!result) return json_text(Json{{"error", result.error().message}});
  if (!stored) return json_text(Json{{"error", stored.error().message}});
  return json_text(result.value());
}

Result<Json> AskTell::obey(const AskTellRequest& request) {
  if (const auto* it = std::get_if<AskRequest>(&request)) return ask(it->count);
  if (const auto* it = std::get_if<TellRequest>(&request)) return tell(it->told);
  if (const auto* it = std::get_if<ReportRequest>(&request)) return report(it->told);
  if (const auto* it = std::get_if<EnqueueByHand>(&request)) return enqueue(it->params);
  if (std::holds_alternative<BestRequest>(request)) return best();
  if (std::holds_alternative<RecommendRequest>(request)) return recommend();
  closed_ = true;
  return ok();
}

/// Nothing leaves the process before this: the answer is the outside world here.
Status AskTell::flush() {
  if (pending_.empty() && taken_.empty()) return Ok{};
  const Sequence expected = pending_.empty() ? state().seq : pending_.front().seq - 1;
  if (const Status stored = session_.store->append(expected, pending_, taken_); !stored) {
    return Error{stored.error().kind, "not stored, will be tried again with the next command: " +
                                          stored.error().message};
  }
  pending_.clear();
  taken_.clear();
  return Ok{};
}

/// Configurations that `betatune enqueue`, and trials that `betatune stop`, left in the store.
Status AskTell::take_requests() {
  BETATUNE_TRY(const std::vector<StoredRequest> requests, session_.store->requests());
  for (const StoredRequest& request : requests) {
    // Still there after an append that failed: acted on already.
    if (std::find(taken_.begin(), taken_.end(), request.id) != taken_.end()) continue;
    taken_.push_back(request.id);
    auto input = input_of(request, session_.coordinator->spec().space);
    if (!input) {
      log().warn("a stored request is dropped: {}", input.error().message);
    } else if (!std::holds_alternative<DrainRequest>(input.value())) {
      give(std::move(input).value());  // a driver that wants to stop just stops asking
    }
  }
  return Ok{};
}

Result<Json> AskTell::ask(std::int64_t count) {
  BETATUNE_CHECK(take_requests());
  std::erase_if(in_hand_,
                [this](TrialId id) { return state().trials[id].state != TrialState::running; });
  const auto lacking = count - static_cast<std::int64_t>(in_hand_.size());
  if (lacking > 0) {
    give(Received{kDriver, Ready{static_cast<int>(lacking)}});
    give(Received{kDriver, Ready{0}});  // what a tell frees is handed out by the next ask
  }
  // Handing out what is not durable would break the promise: then it stays for the next ask.
  BETATUNE_CHECK(flush());
  Json asked = Json::array();
  while (!in_hand_.empty() && static_cast<std::int64_t>(asked.size()) < count) {
    const Trial& trial = state().trials[in_hand_.front()];
    in_hand_.pop_front();
    asked.push_back(Json{
        {"id", trial.id.n}, {"params", to_json(*trial.configuration)}, {"until", trial.until}});
  }
  return Json{{"ask", std::move(asked)}};
}

Result<const Trial*> AskTell::running(TrialId id) const {
  if (id.n >= state().trials.size()) {
    return wrong(
        fmt::format("there is no trial {}; {} have been asked for", id.n, state().trials.size()));
  }
  const Trial& trial = state().trials[id];
  if (trial.state == TrialState::running) return &trial;
  if (trial.state == TrialState::closed) {
    return wrong(fmt::format("trial {} has ended ({})", id.n, to_name(*trial.outcome)));
  }
  return wrong(
      fmt::format("trial {} is {}: an ask may hand it out again", id.n, to_name(trial.state)));
}

/// The driver was answered "stop" or "pause" (or another process asked for it), so that the trial
/// ended there; a tell that follows out of habit is welcome and changes nothing.
bool AskTell::ended_by_decision(TrialId id) const {
  if (id.n >= state().trials.size()) return false;
  const Trial& trial = state().trials[id];
  return trial.state != TrialState::running && trial.decided.has_value();
}

Metrics AskTell::metrics_of(const Told& told) const {
  const ObjectiveSpec& objective = session_.coordinator->spec().objective;
  Metrics metrics = told.metrics;
  if (told.loss) {
    metrics[objective.metric] = objective.goal == Goal::maximize ? -*told.loss : *told.loss;
  }
  return metrics;
}

Status AskTell::send_report(const Trial& trial, Step step, Metrics metrics) {
  const TrialId id = trial.id;
  give(Received{kDriver,
                Report{id, trial.attempt, trial.last_seq + 1, step, std::move(metrics), {}}});
  return refusal_.empty() ? Status(Ok{}) : Status(wrong(refusal_));
}

Result<Json> AskTell::report(const Told& told) {
  BETATUNE_TRY(const Trial* trial, running(told.id));
  if (!told.step) return wrong("report.step: missing");
  Metrics metrics = metrics_of(told);
  if (metrics.empty()) return wrong("report: expected `loss` or `metrics`");
  BETATUNE_CHECK(send_report(*trial, *told.step, std::move(metrics)));
  const auto verdict = verdicts_.find(told.id);
  const Action action = verdict == verdicts_.end() ? Action::go_on : verdict->second;
  return Json{{"decision", to_name(action)}};
}

/// A trial that ends without a metric that an outcome constraint needs would fail: a driver that
/// only forgot it can tell again.
Status AskTell::check_limits(const Trial& trial, const Metrics& told) const {
  Metrics known = trial.watched;
  state().outcomes.remember(told, known);
  const std::string missing = state().outcomes.what_is_missing(known);
  return missing.empty() ? Status(Ok{}) : Status(wrong("tell: " + missing));
}

Result<Json> AskTell::tell(const Told& told) {
  if (ended_by_decision(told.id)) return ok();
  BETATUNE_TRY(const Trial* trial, running(told.id));
  const std::string& objective = session_.coordinator->spec().objective.metric;
  Metrics metrics = metrics_of(told);
  if (!told.failed && !trial->loss && !metrics.contains(objective)) {
    return wrong(
        fmt::format("tell: expected `loss`, or `{}` in `metrics`, or `failed`", objective));
  }
  if (!told.failed) BETATUNE_CHECK(check_limits(*trial, metrics));
  const Step step = told.step.value_or(told.failed ? trial->step : trial->until);
  if (!metrics.empty()) {
    BETATUNE_CHECK(send_report(*trial, step, std::move(metrics)));
  }
  // The report may have ended it: a loss that is not finite, or a stop of the scheduler's.
  const Trial& now_is = state().trials[told.id];
  if (now_is.state == TrialState::running) {
    const AttemptEnd end = told.failed ? AttemptEnd::failed : AttemptEnd::reached;
    give(Received{kDriver, Done{told.id, now_is.attempt, now_is.last_seq, step, end, told.failed,
                                told.failed ? "told by the driver" : ""}});
  }
  std::erase(in_hand_, told.id);
  return refusal_.empty() ? Result<Json>(ok()) : Result<Json>(wrong(refusal_));
}

Result<Json> AskTell::enqueue(const Configuration& partial) {
  BETATUNE_TRY(Configuration complete, session_.coordinator->spec().space.complete(partial));
  give(EnqueueRequest{std::move(complete), account_name()});
  return ok();
}

Json AskTell::best() const {
  if (session_.coordinator->spec().objectives.size() > 1) return pareto();
  if (!state().best) return Json{{"best", nullptr}};
  const Trial& trial = state().trials[*state().best];
  Json best{{"id", trial.id.n},
            {"params", to_json(*trial.configuration)},
            {"loss", trial.standing->loss}};
  if (session_.coordinator->spec().fidelity) best["step"] = trial.standing->level;
  if (!state().outcomes.constraints().empty()) best["feasible"] = trial.standing->violation == 0;
  return Json{{"best", std::move(best)}};
}

/// With several objectives: the trials that no other one beats in everything.
Json AskTell::pareto() const {
  const StudyFront front = front_of(session_.coordinator->spec().objectives, state());
  Json all = Json::array();
  for (const std::size_t id : front.members) {
    const Trial& trial = state().trials[TrialId{id}];
    all.push_back({{"id", id},
                   {"params", to_json(*trial.configuration)},
                   {"losses", state().outcomes.losses(*trial.loss, trial.outcomes)}});
  }
  return Json{{"pareto", std::move(all)}, {"hypervolume", front.hypervolume}};
}

/// The configuration that the searcher believes best; with its trial's id if it was tried.
Json AskTell::recommend() const {
  const auto history = session_.coordinator->history();
  const auto found = session_.policies.searcher->recommend(*history);
  if (!found) return Json{{"recommend", nullptr}};
  Json answer{{"params", to_json(*found)}};
  for (const Trial& trial : state().trials) {
    if (trial.repeats || *trial.configuration != *found) continue;
    answer["id"] = trial.id.n;
    const bool leveled = session_.coordinator->spec().fidelity && trial.standing;
    if (leveled) answer["step"] = trial.standing->level;
  }
  return Json{{"recommend", std::move(answer)}};
}

}  // namespace betatune
