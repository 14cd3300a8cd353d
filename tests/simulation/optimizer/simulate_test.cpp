#include "optimizer/simulate.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

std::string story(const SimulationResult& result) {
  std::string text =
      "betatune simulate --seed " + std::to_string(result.seed) + "\n" + result.setup;
  for (const std::string& violation : result.violations) text += "\n" + violation;
  return text;
}

/// Blocks of seeds, so that ctest runs them side by side.
class Simulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Simulation, KeepsEveryInvariantWhateverFails) {
  constexpr std::uint64_t kBlock = 100;
  for (std::uint64_t seed = GetParam() * kBlock; seed < (GetParam() + 1) * kBlock; ++seed) {
    const SimulationResult result = simulate({seed, Mutation::none, {}});
    EXPECT_TRUE(result.violations.empty()) << story(result);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, ::testing::Range<std::uint64_t>(0, 12));

class SimulationOf : public ::testing::TestWithParam<const char*> {};

TEST_P(SimulationOf, KeepsEveryInvariantWhateverFails) {
  for (std::uint64_t seed = 100'000; seed < 100'060; ++seed) {
    const SimulationResult result = simulate({seed, Mutation::none, GetParam()});
    EXPECT_TRUE(result.violations.empty()) << story(result);
  }
}

INSTANTIATE_TEST_SUITE_P(Schedulers, SimulationOf,
                         ::testing::Values("fifo", "asha", "hyperband", "successive-halving",
                                           "median-stopping", "pasha", "pbt", "hyper-tune",
                                           "freeze-thaw", "dehb"));

/// 10,000 by hand: `betatune simulate --trainers 10000 --seeds 40`.
TEST(SimulationOfManyTrainers, KeepsEveryInvariantWhateverFails) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const SimulationResult result = simulate({seed, Mutation::none, {}, 300});
    EXPECT_TRUE(result.violations.empty()) << story(result);
  }
}

TEST(SimulationSeed, GivesTheSameLogByteForByte) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const SimulationResult once = simulate({seed, Mutation::none, {}});
    const SimulationResult again = simulate({seed, Mutation::none, {}});
    EXPECT_EQ(once.log_hash, again.log_hash) << story(once);
    EXPECT_EQ(once.events, again.events);
  }
}

TEST(SimulationSeeds, DifferInWhatHappens) {
  std::size_t restarts = 0;
  std::size_t lost = 0;
  std::size_t travelled = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const SimulationResult result = simulate({seed, Mutation::none, {}});
    restarts += result.restarts;
    lost += result.lost;
    travelled += result.travelled;
  }
  EXPECT_GT(restarts, 40u);
  EXPECT_GT(lost, 40u);
  EXPECT_GT(travelled, 40u);
}

/// The checks must see bugs: in how many of the first seeds each mutation is caught at least. Well
/// below what is measured (in brackets), so that a change of the draws does not break the test.
struct Caught {
  Mutation mutation;
  std::uint64_t seeds;
  int least;
};

class SimulationOfABug : public ::testing::TestWithParam<Caught> {};

TEST_P(SimulationOfABug, IsCaught) {
  int caught = 0;
  for (std::uint64_t seed = 0; seed < GetParam().seeds; ++seed) {
    caught += simulate({seed, GetParam().mutation, {}}).violations.empty() ? 0 : 1;
  }
  EXPECT_GE(caught, GetParam().least) << to_name(GetParam().mutation);
}

std::string name_of(const ::testing::TestParamInfo<Caught>& each) {
  return to_name(each.param.mutation);
}

INSTANTIATE_TEST_SUITE_P(Mutations, SimulationOfABug,
                         ::testing::Values(Caught{Mutation::no_dedup, 120, 50},           // (97)
                                           Caught{Mutation::no_fence, 120, 12},           // (32)
                                           Caught{Mutation::send_before_append, 20, 20},  // (20)
                                           Caught{Mutation::no_reconcile, 400, 8},        // (24)
                                           Caught{Mutation::unsynced_store, 120, 50},     // (85)
                                           Caught{Mutation::early_checkpoint, 240, 20},   // (50)
                                           Caught{Mutation::trusted_files, 240, 12}),     // (36)
                         name_of);

}  // namespace
}  // namespace betatune
