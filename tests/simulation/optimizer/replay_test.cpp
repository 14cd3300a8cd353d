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

/// Of populations, half of which a model gives their numbers.
TEST(ReplaySimulation, FindsEveryCopyOfAPopulationAgainWhateverHappened) {
  constexpr std::uint64_t kSeeds = 60;
  std::int64_t verified = 0;
  std::size_t proposed = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const SimulationOptions options{seed, Mutation::none, "pbt"};
    simulation::World drawn(seed);  // as simulate() begins
    const auto spec =
        std::make_shared<const StudySpec>(simulation::draw_study(drawn.random, options));
    const SimulationResult run = simulate(options);
    ASSERT_TRUE(run.violations.empty()) << run.violations.front();
    for (const Event& event : run.log) {
      const auto* created = std::get_if<TrialCreated>(&event.fact);
      if (created == nullptr || !created->parent || !created->note.contains("pb2")) continue;
      if (created->note.at("pb2").contains("loss")) ++proposed;
    }
    const auto store = make_memory_store();
    ASSERT_TRUE(store->append(0, run.log));

    const auto result = verify_decisions(*store, run.log.size(), [&](const Json&) {
      return Result<std::shared_ptr<const StudySpec>>(spec);
    });

    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result.value().differing, 0)
        << "seed " << seed << ": " << result.value().first->recorded << "; "
        << result.value().first->recomputed;
    verified += result.value().verified;
  }
  EXPECT_GT(verified, 500);
  EXPECT_GT(proposed, 30u);
}

}  // namespace
}  // namespace betatune
