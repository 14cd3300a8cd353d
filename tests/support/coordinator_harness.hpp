#pragma once
/// A study by hand, and a shell without I/O round its coordinator: facts go to a vector, messages
/// are looked up by type, plans are computed at once.

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"

namespace betatune::test {

/// x in [0, 1] and n in 1..1000; loss `loss`, to be minimised; four trials.
inline StudySpec small_study() {
  StudySpec spec;
  spec.study.name = "small";
  spec.study.seed = 7;
  auto space = SearchSpace::make({Parameter{"x", Real{0, 1, Scale::linear, {}}, {}, {}},
                                  Parameter{"n", Integer{1, 1000, Scale::linear, 1}, {}, {}}});
  EXPECT_TRUE(space) << (space ? "" : space.error().message);
  spec.space = std::move(space).value();
  spec.algorithm.searcher.name = "random";
  spec.algorithm.scheduler.name = "fifo";
  spec.stopping.trials = 4;
  spec.document = Json{{"study", {{"name", "small"}}}};
  return spec;
}

/// The same with steps 1 to `max`, resumable, under the scheduler of that name.
inline StudySpec stepped_study(Step max, const std::string& scheduler) {
  StudySpec spec = small_study();
  spec.fidelity = FidelitySpec{"epoch", 1, max, true};
  spec.algorithm.scheduler.name = scheduler;
  spec.document["fidelity"] = Json{{"max", max}};
  return spec;
}

inline Policies policies_of(const StudySpec& spec) {
  Diagnostics diagnostics;
  Policies policies;
  policies.searcher = make_searcher(spec, diagnostics);
  policies.scheduler = make_scheduler(spec, diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return policies;
}

class Harness {
 public:
  explicit Harness(StudySpec spec) : Harness(std::move(spec), {}) {}
  Harness(StudySpec spec, std::vector<Event> log, CoordinatorOptions options = {})
      : log_(std::move(log)), spec_(std::make_shared<const StudySpec>(std::move(spec))) {
    boot(options);
  }

  /// A new process on the same log; what was in memory is gone.
  void restart(CoordinatorOptions options = {}) {
    sent.clear();
    boot(options);
  }
  void restart_with(StudySpec spec) {
    spec_ = std::make_shared<const StudySpec>(std::move(spec));
    restart();
  }

  void give(const Input& input) { take(coordinator_->step(input, now)); }
  void say(const PeerId& peer, Message message) { give(Received{peer, std::move(message)}); }
  void tick(Monotonic later = std::chrono::seconds(0)) {
    now += later;
    give(Tick{});
  }

  /// HELLO of a trainer named as its peer (a session of its own each time), then READY.
  void join(const std::string& name, int slots = 1, std::vector<Held> held = {}) {
    Hello hello;
    hello.trainer = name;
    hello.session = std::to_string(++sessions_);
    hello.slots = slots;
    hello.held = std::move(held);
    say(name, hello);
    say(name, Ready{slots});
  }
  /// The same, of a trainer that gets its first assignment at once.
  Assign begin(const std::string& name) {
    join(name);
    return only_sent<Assign>();
  }
  void report(const PeerId& peer, const Assign& at, std::uint64_t seq, Step step, double loss) {
    say(peer, Report{at.trial, at.attempt, seq, step, {{"loss", loss}}, {}});
  }
  /// With a checkpoint at the step.
  void report_saved(const PeerId& peer, const Assign& at, std::uint64_t seq, Step step) {
    const ArtifactRef saved{"checkpoints/" + std::to_string(step), step, 1};
    say(peer, Report{at.trial, at.attempt, seq, step, {{"loss", 0.5}}, saved});
  }
  void done(const PeerId& peer, const Assign& at, std::uint64_t final_seq,
            AttemptEnd end = AttemptEnd::reached, std::optional<FailureClass> failure = {}) {
    say(peer, Done{at.trial, at.attempt, final_seq, at.until, end, failure, ""});
  }
  /// Reports once at the step asked for and ends; the trainer is ready again.
  void finish_trial(const PeerId& peer, const Assign& at, double loss) {
    report(peer, at, 1, at.until, loss);
    done(peer, at, 1);
    say(peer, Ready{1});
  }

  /// Messages of type M sent since the last take_sent<M>() or clear.
  template <class M>
  std::vector<M> all_sent() const {
    std::vector<M> out;
    for (const Outgoing& each : sent) {
      if (const auto* message = std::get_if<M>(&each.message)) out.push_back(*message);
    }
    return out;
  }
  /// The one message of type M that the last inputs led to; clears all of them.
  template <class M>
  M only_sent() {
    auto all = all_sent<M>();
    EXPECT_EQ(all.size(), 1u) << M::kType;
    sent.clear();
    return all.empty() ? M{} : all.back();
  }
  template <class M>
  bool has_sent() const {
    return !all_sent<M>().empty();
  }
  template <class F>
  std::vector<F> facts() const {
    std::vector<F> out;
    for (const Event& event : log_) {
      if (const auto* fact = std::get_if<F>(&event.fact)) out.push_back(*fact);
    }
    return out;
  }

  const StudyState& state() const { return coordinator_->state(); }
  const Trial& trial(std::uint64_t n) const { return state().trials[TrialId{n}]; }
  Coordinator& coordinator() { return *coordinator_; }
  const std::vector<Event>& log() const { return log_; }
  const StudySpec& spec() const { return *spec_; }
  /// The state that the log alone gives.
  StudyState folded() const {
    StudyState state;
    for (const Event& event : log_) {
      const Status applied = apply(state, event);
      EXPECT_TRUE(applied) << (applied ? "" : applied.error().message);
    }
    return state;
  }

  Monotonic now{0};
  std::vector<Outgoing> sent;
  std::optional<std::string> finished;
  int plans = 0;
  bool answer_plans = true;
  std::optional<PlanRequest> asked;

 private:
  void boot(CoordinatorOptions options) {
    finished.reset();
    asked.reset();
    options.epoch = ++epoch_;
    for (const Event& event : log_) {
      if (const auto* started = std::get_if<OptimizerStarted>(&event.fact)) {
        options.epoch = epoch_ = std::max(epoch_, started->epoch + 1);
      }
    }
    policies_ = policies_of(*spec_);
    coordinator_ = std::make_unique<Coordinator>(spec_, policies_, options);
    const Status replayed = coordinator_->replay(log_);
    ASSERT_TRUE(replayed) << replayed.error().message;
    take(coordinator_->start(now));
  }

  void take(Effects effects) {
    Sequence seq = log_.size();
    for (Fact& fact : effects.append) log_.push_back(Event{++seq, effects.at_us, std::move(fact)});
    for (Outgoing& each : effects.send) sent.push_back(std::move(each));
    if (effects.finished) finished = effects.finished;
    if (effects.plan) asked = effects.plan;
    if (!effects.plan || !answer_plans) return;
    ++plans;
    const PlanRequest& plan = *effects.plan;
    give(Planned{plan.plan, policies_.searcher->suggest(*plan.history, plan.count, plan.key)});
  }

  std::vector<Event> log_;
  std::shared_ptr<const StudySpec> spec_;
  Policies policies_;
  std::unique_ptr<Coordinator> coordinator_;
  std::uint64_t epoch_ = 0;
  int sessions_ = 0;
};

}  // namespace betatune::test
