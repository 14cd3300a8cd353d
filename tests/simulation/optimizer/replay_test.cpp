/// Trainers and networks that fail in every way, optimizers killed at every place: whatever became
/// a trial must follow from the log that was there before it.

#include <gtest/gtest.h>

#include "optimizer/simulate.hpp"
#include "optimizer/simulation/study.hpp"
#include "optimizer/simulation/world.hpp"
#include "optimizer/verify.hpp"
#include "optimizer/verify_decisions.hpp"

namespace betatune {
namespace {

TEST(ReplaySimulation, FindsEverySuggestionAgainWhateverHappened) {
  constexpr std::uint64_t kSeeds = 60;
  std::int64_t verified = 0;
  std::size_t restarts = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimulationOptions options;
    options.seed = seed;
    simulation::World drawn(seed);  // as simulate() begins
    const auto spec =
        std::make_shared<const StudySpec>(simulation::draw_study(drawn.random, options));
    const SimulationResult run = simulate(options);
    ASSERT_TRUE(run.violations.empty()) << run.violations.front();
    restarts += run.restarts;
    const auto store = make_memory_store();
    ASSERT_TRUE(store->append(0, run.log));
    const auto ledger = read_plans(*store);
    ASSERT_TRUE(ledger) << ledger.error().message;

    const auto result = verify(*store, ledger.value(), [&](const Json&) {
      return Result<std::shared_ptr<const StudySpec>>(spec);
    });

    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result.value().differing, 0) << "seed " << seed;
    verified += result.value().verified;
  }
  EXPECT_GT(verified, 500);
  EXPECT_GT(restarts, 50u);
}

struct Played {
  SimulationResult run;
  DecisionVerification decisions;
};

/// A study under the scheduler, and what of its decisions follows from its log.
Played play(std::uint64_t seed, const char* scheduler) {
  const SimulationOptions options{seed, Mutation::none, scheduler};
  simulation::World drawn(seed);  // as simulate() begins
  const auto spec =
      std::make_shared<const StudySpec>(simulation::draw_study(drawn.random, options));
  Played out{simulate(options), {}};
  for (const std::string& each : out.run.violations) ADD_FAILURE() << each;
  const auto store = make_memory_store();
  EXPECT_TRUE(store->append(0, out.run.log));
  const auto result = verify_decisions(*store, out.run.log.size(), [&](const Json&) {
    return Result<std::shared_ptr<const StudySpec>>(spec);
  });
  EXPECT_TRUE(result) << result.error().message;
  if (result) out.decisions = result.value();
  EXPECT_EQ(out.decisions.differing, 0) << "seed " << seed << ": " << out.decisions.first->recorded
                                        << "; " << out.decisions.first->recomputed;
  return out;
}

/// Of populations, half of which a model gives their numbers, and people some of their trials.
TEST(ReplaySimulation, FindsEveryCopyOfAPopulationAgainWhateverHappened) {
  constexpr std::uint64_t kSeeds = 60;
  std::int64_t verified = 0;
  std::size_t proposed = 0, enqueued = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Played played = play(seed, "pbt");
    for (const Event& event : played.run.log) {
      const auto* created = std::get_if<TrialCreated>(&event.fact);
      if (created == nullptr) continue;
      if (created->origin == kEnqueuedOrigin) ++enqueued;
      if (!created->parent || !created->note.contains("pb2")) continue;
      if (created->note.at("pb2").contains("loss")) ++proposed;
    }
    verified += played.decisions.verified;
  }
  EXPECT_GT(verified, 500);
  EXPECT_GT(proposed, 30u);
  EXPECT_GT(enqueued, 2u);
}

class ReplaySimulationOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ReplaySimulationOf, FindsEveryDecisionAgainWhateverHappened) {
  constexpr std::uint64_t kSeeds = 40;
  std::int64_t verified = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    verified += play(seed, GetParam()).decisions.verified;
  }
  EXPECT_GT(verified, 300);
}

INSTANTIATE_TEST_SUITE_P(Schedulers, ReplaySimulationOf,
                         ::testing::Values("hyper-tune", "freeze-thaw", "dehb", "median-stopping"));

}  // namespace
}  // namespace betatune
