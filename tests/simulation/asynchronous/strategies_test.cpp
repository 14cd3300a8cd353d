// What the papers claim, on a small problem in simulated time with real gradients.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainers/torch/distributed/asynchronous/simulation/simulator.hpp"

namespace betatune::distributed::asynchronous {
namespace {

const DigitsProblem& problem() {
  static const DigitsProblem made({});
  return made;
}

SimulationSettings swarm(const std::string& strategy, int workers, std::uint64_t updates) {
  SimulationSettings s;
  s.strategy = strategy;
  s.workers = workers;
  s.updates = updates;
  s.batch = 32;
  s.cluster.sigma = 0.1;
  return s;
}

double worst(const SimulationResult& result) {
  double most = 0;
  for (const auto& point : result.trace) {
    most = std::max(most, std::isfinite(point.test_loss) ? point.test_loss : INFINITY);
  }
  return most;
}

/// Parameter: n.
class StalenessTest : public ::testing::TestWithParam<int> {};

TEST_P(StalenessTest, IsOneLessThanTheWorkersOnAverage) {
  const int n = GetParam();
  auto s = swarm(R"({"strategy": "downpour"})", n, 1'500);
  s.batch = 1;
  const auto result = simulate(problem(), s);
  // The first push of each worker is younger: 0 to n - 1, so n (n - 1) / 2 too little in the sum.
  const double begin = n * (n - 1) / 2.0 / 1'500;
  EXPECT_NEAR(result.staleness_mean, n - 1, begin + 0.01 * n);
}

INSTANTIATE_TEST_SUITE_P(Workers, StalenessTest, ::testing::Values(1, 2, 5, 30));

/// Parameter: the rate; 0.05 is the paper's, 0.1 its misspecified one.
class SwarmTest : public ::testing::TestWithParam<double> {};

TEST_P(SwarmTest, OfAHundredWorkersDownpourBlowsUpAndGemDoesNot) {
  const std::string lr = R"(", "lr": )" + std::to_string(GetParam());
  auto s = swarm(R"({"strategy": "downpour)" + lr + "}", 100, 3'000);
  s.evaluate_every = 150;
  const auto downpour = simulate(problem(), s);
  s.strategy = R"({"strategy": "gem)" + lr + R"(, "kappa": 2})";
  const auto gem = simulate(problem(), s);
  const double guessing = std::log(10);
  EXPECT_GT(worst(downpour), guessing);
  EXPECT_LT(gem.test_loss, 0.5 * guessing);
  EXPECT_LT(gem.test_loss, downpour.test_loss);
  EXPECT_LE(worst(gem), gem.trace.front().test_loss)
      << "it never gets worse than at its first sight";
}

INSTANTIATE_TEST_SUITE_P(Rates, SwarmTest, ::testing::Values(0.05, 0.1));

TEST(Downpour, IsFineWithAFewWorkers) {
  auto s = swarm(R"({"strategy": "downpour", "lr": 0.05})", 5, 1'500);
  s.evaluate_every = 150;
  const auto result = simulate(problem(), s);
  EXPECT_LT(result.test_loss, 0.8);
  EXPECT_LT(worst(result), std::log(10));
}

TEST(Hybrid, WithOneGroupIsSynchronousBitForBit) {
  auto s = swarm(R"({"strategy": "synchronous", "lr": 0.1, "momentum": 0.9})", 4, 400);
  s.batch = 16;
  const auto synchronous = simulate(problem(), s);
  s.strategy = R"({"strategy": "hybrid", "groups": 1, "lr": 0.1, "momentum": 0.9})";
  s.workers = 1;
  s.group_size = 4;
  s.sum_in_group = true;
  s.batch = 64;
  s.updates = 100;
  const auto hybrid = simulate(problem(), s);
  EXPECT_EQ(synchronous.centre, hybrid.centre);
  EXPECT_LT(hybrid.test_loss, 1.2) << "and both have learnt something";
}

TEST(Hybrid, IsTheSameWithAServerPerLayerIfMessagesTakeNoTime) {
  auto s = swarm(R"({"strategy": "hybrid", "groups": 3})", 3, 60);
  const auto one = simulate(problem(), s);
  s.server_per_layer = true;
  EXPECT_EQ(one.centre, simulate(problem(), s).centre);
}

TEST(Straggler, StallsTheSynchronousRuleAlone) {
  auto s = swarm(R"({"strategy": "synchronous"})", 8, 1'000'000);
  s.batch = 1;
  s.seconds = 4;
  const auto updates = [&](const std::string& strategy, double slower) {
    s.strategy = strategy;
    s.faults = {{3, 0, slower, 1e30}};
    return static_cast<double>(simulate(problem(), s).updates);
  };
  const std::string synchronous = R"({"strategy": "synchronous"})";
  const std::string hybrid = R"({"strategy": "hybrid", "groups": 8})";
  EXPECT_LT(updates(synchronous, 20), 0.08 * updates(synchronous, 1)) << "all at its pace: 1/20";
  EXPECT_GT(updates(hybrid, 20), 0.85 * updates(hybrid, 1)) << "its own share is lost: 1/8";
}

TEST(DeadGroup, DoesNotStopTheOthers) {
  auto s = swarm(R"({"strategy": "hybrid", "groups": 4, "lr": 0.05})", 4, 1'000'000);
  s.server_per_layer = true;
  s.seconds = 4;
  s.faults = {{2, 1, INFINITY, 2}};
  const auto result = simulate(problem(), s);
  EXPECT_GT(result.batches[0], 350u) << "0.01 s each, for 4 s";
  EXPECT_LT(result.batches[2], 120u);
  EXPECT_LT(result.test_loss, 0.8);
}

TEST(DeadWorker, StopsTheSynchronousRuleUntilItIsTakenForGone) {
  auto s = swarm(R"({"strategy": "synchronous"})", 4, 1'000'000);
  s.batch = 1;
  s.seconds = 4;
  s.faults = {{2, 1, INFINITY, 1e30}};
  const auto stuck = simulate(problem(), s);
  s.faults[0].noticed = 2;
  const auto relieved = simulate(problem(), s);
  EXPECT_LT(stuck.batches[0], 110u);
  EXPECT_GT(relieved.batches[0], 250u);
}

TEST(StalenessBound, KeepsTheFastFromRunningAway) {
  auto s = swarm(R"({"strategy": "downpour", "staleness_bound": 3})", 4, 1'000'000);
  s.batch = 1;
  s.seconds = 2;
  s.faults = {{1, 0, 10, 1e30}};
  const auto bound = simulate(problem(), s);
  EXPECT_LE(bound.batches[0], bound.batches[1] + 5) << "3, one in work, one at the server";
  s.strategy = R"({"strategy": "downpour"})";
  const auto free = simulate(problem(), s);
  EXPECT_GT(free.batches[0], 5 * free.batches[1]);
}

TEST(Simulator, IsAFunctionOfItsSettings) {
  auto s = swarm(R"({"strategy": "gem"})", 7, 200);
  s.cluster.stall_chance = 0.05;
  s.cluster.stall_mean = 0.2;
  s.cluster.latency = 1e-3;
  const auto first = simulate(problem(), s), again = simulate(problem(), s);
  EXPECT_EQ(first.centre, again.centre);
  EXPECT_EQ(first.seconds, again.seconds);
  s.seed = 2;
  EXPECT_NE(first.centre, simulate(problem(), s).centre);
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
