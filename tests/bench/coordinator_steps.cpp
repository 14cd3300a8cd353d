/// Steps of the coordinator per second of CPU time, one thread, no I/O: 64 trainers, each trial
/// reports eight times and ends, in a study of 100,000 trials. Goal: 50,000.

#include <ctime>
#include <fmt/format.h>

#include "tests/support/coordinator_harness.hpp"

int main() {
  using namespace betatune;
  constexpr int kSlots = 64;
  constexpr std::int64_t kTrials = 100'000;
  constexpr Step kSteps = 8;
  StudySpec spec = betatune::test::stepped_study(kSteps, "fifo");
  spec.stopping.trials = kTrials;
  const auto shared = std::make_shared<const StudySpec>(spec);
  const Policies policies = betatune::test::policies_of(spec);
  Coordinator coordinator(shared, policies, {});

  std::vector<std::pair<PeerId, Assign>> running;
  std::uint64_t steps = 0, facts = 0;
  bool over = false;
  Monotonic now{0};
  const auto take = [&](Effects effects, auto&& self) -> void {
    facts += effects.append.size();
    over = over || effects.finished.has_value();
    for (Outgoing& each : effects.send) {
      if (auto* assign = std::get_if<Assign>(&each.message)) {
        running.emplace_back(each.to, std::move(*assign));
      }
    }
    if (!effects.plan) return;
    ++steps;
    const PlanRequest& plan = *effects.plan;
    self(coordinator.step(
             Planned{plan.plan, policies.searcher->suggest(*plan.history, plan.count, plan.key)},
             now),
         self);
  };
  const auto say = [&](const PeerId& peer, Message message) {
    ++steps;
    now += Monotonic(10);
    take(coordinator.step(Received{peer, std::move(message)}, now), take);
  };

  const std::clock_t begin = std::clock();
  take(coordinator.start(now), take);
  for (int i = 0; i < kSlots; ++i) {
    Hello hello;
    hello.trainer = hello.session = "t" + std::to_string(i);
    say(hello.trainer, hello);
    say(hello.trainer, Ready{1});
  }
  while (!over) {
    std::vector<std::pair<PeerId, Assign>> now_running;
    now_running.swap(running);
    for (Step step = 1; step <= kSteps; ++step) {
      for (const auto& [peer, at] : now_running) {
        say(peer, Report{at.trial,
                         at.attempt,
                         static_cast<std::uint64_t>(step),
                         step,
                         {{"loss", 1.0}, {"accuracy", 0.5}},
                         {}});
      }
    }
    for (const auto& [peer, at] : now_running) {
      say(peer, Done{at.trial, at.attempt, kSteps, at.until, AttemptEnd::reached, {}, ""});
      say(peer, Ready{1});
    }
  }
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  fmt::print("trials {}  steps {}  facts {}  {:.2f} s  {:.0f} steps/s\n",
             coordinator.state().trials.size(), steps, facts, seconds,
             static_cast<double>(steps) / seconds);
  return 0;
}
