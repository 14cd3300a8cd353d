#pragma once
/// A study without processes: slots, a budget and a scheduler. Holds every decision to what any
/// scheduler must keep, and remembers the log and the decisions for a replay.

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <map>

#include "optimizer/scheduler.hpp"
#include "searchspaces/random.hpp"

namespace betatune::support {

inline StudySpec fidelity_spec(Step min, Step max, const std::string& scheduler,
                               const Json& options = nullptr) {
  StudySpec spec;
  auto space = SearchSpace::make({Parameter{"x", Real{0.01, 1, Scale::log, {}}, {}, {}}});
  EXPECT_TRUE(space) << (space ? "" : space.error().message);
  spec.space = std::move(space).value();
  spec.fidelity = FidelitySpec{"epoch", min, max, true};
  spec.algorithm.scheduler.name = scheduler;
  if (!options.is_null()) {
    spec.algorithm.scheduler.options = ConfigNode::from_json(options, "study.yaml");
  }
  return spec;
}

/// The same with a second objective, `cost`, to be minimised as well.
inline StudySpec with_cost(StudySpec spec) {
  spec.objectives = {{"loss", Goal::minimize, {}, {}}, {"cost", Goal::minimize, {}, {}}};
  return spec;
}

inline std::unique_ptr<Scheduler> scheduler_of(const StudySpec& spec) {
  Diagnostics diagnostics;
  auto scheduler = make_scheduler(spec, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return scheduler;
}

struct WorldShape {
  int trials = 30;
  int slots = 1;
  double failing = 0;  ///< of an attempt, per step
  /// Beside it, whether the next step of the trial fails.
  std::function<bool(TrialId, Step)> fails = [](TrialId, Step) { return false; };
  int retries = 1;
  std::uint64_t seed = 1;        ///< of the order of events and of failures
  std::uint64_t study_seed = 1;  ///< of what the scheduler draws
  std::function<double(TrialId, Step)> loss = [](TrialId trial, Step step) {
    return static_cast<double>((trial.n * 7919) % 1009) + 1.0 / static_cast<double>(step);
  };
  /// What the searcher suggests.
  std::function<Configuration(TrialId)> configuration = [](TrialId trial) {
    return Configuration{{"x", static_cast<std::int64_t>(trial.n)}};
  };
  /// Configurations that somebody enqueues once so many trials have begun.
  std::multimap<std::size_t, Configuration> enqueued = {};
  /// Of the clock, for each step; trials train one after the other, so with one slot only, unless
  /// `side_by_side`.
  std::function<double(TrialId)> seconds = [](TrialId) { return 0.0; };
  /// Steps end when their seconds are over, those of older trials first; else in any order.
  bool side_by_side = false;
  std::optional<double> seconds_max;  ///< what ends the study
  /// Reported if the study has it as an objective.
  std::function<double(TrialId, Step)> cost = [](TrialId trial, Step) {
    return static_cast<double>((trial.n * 104729) % 997);
  };
};

class SchedulerWorld {
 public:
  struct Asked {
    Sequence seq = 0;
    bool may_start = false;
    std::optional<Assignment> answer;
    std::size_t paused = 0;  ///< trials that wait to go on
  };

  SchedulerWorld(const StudySpec& spec, WorldShape shape)
      : spec_(spec),
        scheduler_(scheduler_of(spec)),
        shape_(std::move(shape)),
        draws_(root_key(shape_.seed)) {
    emit(StudyCreated{kLogSchema, "world", document(), shape_.study_seed, ""});
    emit(OptimizerStarted{1, ""});
  }

  /// Until nothing runs and the scheduler has no more work, or the log has so many events.
  void run(std::size_t events = std::numeric_limits<std::size_t>::max()) {
    for (int turns = 0; !testing::Test::HasFatalFailure(); ++turns) {
      ASSERT_LT(turns, 2'000'000) << "the study does not end";
      if (log_.size() >= events) break;
      fill();
      if (state_.running.empty()) break;
      advance();
    }
  }

  /// A new process reads the log, with another budget and another number of workers. What trains
  /// goes on.
  void restart(int trials, int slots) {
    shape_.trials = trials;
    shape_.slots = slots;
    scheduler_ = scheduler_of(spec_);
    state_ = {};
    for (const Event& event : log_) {
      ASSERT_TRUE(apply(state_, event));
      scheduler_->observe(state_, event);
    }
  }
  /// The same with another study file. Who has come to its end by that one is over.
  void restart_with(const StudySpec& spec) {
    spec_ = spec;
    is_changed_ = true;
    restart(shape_.trials, shape_.slots);
    emit(OptimizerStarted{state_.epoch + 1, ""});
    emit(DocumentChanged{document()});
    const std::set<TrialId> paused = state_.paused;
    for (const TrialId id : paused) {
      if (!scheduler_->completes(state_, state_.trials[id])) continue;
      emit(TrialClosed{id, Outcome::completed, state_.trials[id].loss});
    }
  }

  const StudyState& state() const { return state_; }
  const std::vector<Event>& log() const { return log_; }
  const std::vector<Asked>& asked() const { return asked_; }
  const Scheduler& scheduler() const { return *scheduler_; }

  /// How many attempts were started towards each step, retries not counted.
  std::map<Step, int> started() const { return started_; }
  /// The last step that each trial was trained to.
  Step reached(TrialId trial) const { return state_.trials[trial].step; }
  /// "2@3": trial 2 began to train to step 3; all attempts, in their order.
  std::vector<std::string> story() const {
    std::vector<std::string> story;
    for (const Event& event : log_) {
      const auto* started = std::get_if<AttemptStarted>(&event.fact);
      if (started == nullptr) continue;
      story.push_back(std::to_string(started->trial.n) + "@" + std::to_string(started->until));
    }
    return story;
  }
  /// Trials that began the step, in that order.
  std::vector<std::uint64_t> order(Step until) const {
    const auto found = order_.find(until);
    return found == order_.end() ? std::vector<std::uint64_t>{} : found->second;
  }

 private:
  Json document() const {
    Json document{{"fidelity", {{"max", spec_.full_budget()}}}};
    for (const ObjectiveSpec& each : spec_.objectives) {
      document["objectives"].push_back({{"metric", each.metric}});
    }
    return document;
  }

  void emit(Fact fact) {
    log_.push_back(
        Event{log_.size() + 1, static_cast<std::int64_t>(1e6 * clock_s_), std::move(fact)});
    const Status applied = apply(state_, log_.back());
    ASSERT_TRUE(applied) << applied.error().message;
    scheduler_->observe(state_, log_.back());
  }

  void fill() {
    if (shape_.seconds_max && clock_s_ >= *shape_.seconds_max) return;
    while (static_cast<int>(state_.running.size()) < shape_.slots) {
      if (!state_.waiting.empty()) {
        const TrialId id = *state_.waiting.begin();
        start(id, std::min(state_.trials[id].until, spec_.full_budget()), true);
        continue;
      }
      const bool may_start = static_cast<int>(state_.trials.size()) < shape_.trials;
      enqueue();
      const auto answer = scheduler_->next(state_, may_start);
      asked_.push_back({state_.seq, may_start, answer, state_.paused.size()});
      if (!answer) return;
      if (const auto* resume = std::get_if<Resume>(&*answer)) {
        ASSERT_EQ(state_.trials[resume->trial].state, TrialState::paused);
        ASSERT_GT(resume->until, state_.trials[resume->trial].until);
        ASSERT_LE(resume->until, spec_.full_budget());
        start(resume->trial, resume->until, false);
        continue;
      }
      ASSERT_TRUE(may_start) << "more trials than the budget has";
      const TrialId id{state_.trials.size()};
      if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
        copy(id, *exploit);
      } else {
        begin(id, std::get<StartNew>(*answer));
      }
    }
  }

  void enqueue() {
    auto& waiting = shape_.enqueued;
    while (!waiting.empty() && waiting.begin()->first <= state_.trials.size()) {
      emit(ConfigurationEnqueued{waiting.extract(waiting.begin()).mapped()});
    }
  }

  void begin(TrialId id, const StartNew& asked) {
    if (asked.replaces) {
      ASSERT_FALSE(state_.enqueued.empty());
      ASSERT_EQ(state_.trials[*asked.replaces].state, TrialState::paused);
      emit(TrialClosed{*asked.replaces, Outcome::stopped, state_.trials[*asked.replaces].loss});
    }
    if (state_.enqueued.empty()) {
      emit(TrialCreated{id, shape_.configuration(id), "test", {}, {}});
    } else {
      emit(TrialCreated{id, state_.enqueued.front(), kEnqueuedOrigin, {}, {}});
    }
    start(id, asked.until, false);
  }

  void copy(TrialId id, const Exploit& exploit) {
    ASSERT_GT(exploit.until, exploit.parent.step);
    ASSERT_LE(exploit.until, spec_.full_budget());
    const char* origin = exploit.enqueued ? kEnqueuedOrigin : kExploitOrigin;
    TrialCreated fact{id, exploit.configuration, origin, {}, exploit.note};
    fact.parent = exploit.parent;
    emit(std::move(fact));
    const auto& ends = exploit.parent.replaces;
    if (ends && state_.trials[*ends].state != TrialState::closed) {
      emit(TrialClosed{*ends, Outcome::stopped, state_.trials[*ends].loss});
    }
    start(id, exploit.until, false);
  }

  void start(TrialId id, Step until, bool again) {
    const Trial& trial = state_.trials[id];
    const bool resumes = trial.checkpoint && trial.checkpoint->step < until;
    const std::optional<ArtifactRef> checkpoint = resumes ? trial.checkpoint : std::nullopt;
    const Step from = resumes ? trial.checkpoint->step : 0;
    if (!again) {
      ++started_[until];
      order_[until].push_back(id.n);
    }
    emit(AttemptStarted{id, AttemptId{trial.attempt.n + 1}, "t", from, until, checkpoint});
    due_[id] = clock_s_ + shape_.seconds(id);
  }

  /// Whose next step is over.
  TrialId next_to_step() {
    if (shape_.side_by_side) {
      const auto is_due = [this](TrialId trial) { return due_.at(trial); };
      return *std::ranges::min_element(state_.running, {}, is_due);
    }
    auto at = state_.running.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(draws_.below(state_.running.size())));
    return *at;
  }

  /// One step of one running trial.
  void advance() {
    const TrialId id = next_to_step();
    const AttemptId attempt = state_.trials[id].attempt;
    const Step step = state_.trials[id].step + 1;
    if (draws_.uniform() < shape_.failing || shape_.fails(id, step)) return fail(id, attempt);
    clock_s_ = shape_.side_by_side ? due_.at(id) : clock_s_ + shape_.seconds(id);
    due_[id] = clock_s_ + shape_.seconds(id);
    const double loss = shape_.loss(id, step);
    const std::uint64_t seq = state_.trials[id].last_seq + 1;
    Metrics metrics{{"loss", loss}};
    if (spec_.objectives.size() > 1) metrics["cost"] = shape_.cost(id, step);
    emit(Reported{id, attempt, seq, step, std::move(metrics), loss, false});
    const Trial& trial = state_.trials[id];
    if (step >= trial.until) return reach(id, attempt);
    const Verdict verdict = scheduler_->judge(state_, trial, trial.observations.back());
    if (verdict.action == Action::go_on) return;
    ASSERT_EQ(verdict.action, Action::stop);
    EXPECT_FALSE(verdict.reason.empty());
    emit(Decided{id, attempt, verdict.action, step, "scheduler", verdict.reason});
    emit(AttemptEnded{id, attempt, AttemptEnd::stopped, step, {}, "", true});
    emit(TrialClosed{id, Outcome::stopped, loss});
  }

  void reach(TrialId id, AttemptId attempt) {
    const Step step = state_.trials[id].until;
    emit(CheckpointSaved{id, attempt, ArtifactRef{"c", step, 1}});
    emit(AttemptEnded{id, attempt, AttemptEnd::reached, step, {}, "", true});
    if (!scheduler_->completes(state_, state_.trials[id])) return;
    // What was asked for before the study file changed ends as it was asked for.
    if (!is_changed_) {
      EXPECT_EQ(step, spec_.full_budget());
    }
    emit(TrialClosed{id, Outcome::completed, state_.trials[id].loss});
  }

  void fail(TrialId id, AttemptId attempt) {
    emit(AttemptEnded{id, attempt, AttemptEnd::failed, state_.trials[id].step, FailureClass::user,
                      "", true});
    const auto failed = state_.trials[id].failures.at(FailureClass::user);
    if (failed > shape_.retries) emit(TrialClosed{id, Outcome::failed, {}});
  }

  StudySpec spec_;
  bool is_changed_ = false;
  std::unique_ptr<Scheduler> scheduler_;
  WorldShape shape_;
  Stream draws_;
  StudyState state_;
  double clock_s_ = 0;
  std::map<TrialId, double> due_;  ///< the end of each one's next step
  std::vector<Event> log_;
  std::vector<Asked> asked_;
  std::map<Step, int> started_;
  std::map<Step, std::vector<std::uint64_t>> order_;
};

}  // namespace betatune::support
