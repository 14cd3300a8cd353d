// Every rule against numbers computed by hand, on one layer of one or two elements.

#include <cmath>
#include <gtest/gtest.h>

#include "trainers/torch/distributed/asynchronous/registry.hpp"

namespace betatune::distributed::asynchronous {
namespace {

/// A worker of one rule, alone with a centre that the test moves.
class Halves {
 public:
  Halves(const std::string& json, int workers, Layer initial)
      : configured_(read_strategy(json, workers)),
        worker_(configured_.strategy->worker()),
        server_(configured_.strategy->server(initial.size())),
        parameters{initial},
        centre(std::move(initial)) {
    worker_->begin({centre});
  }
  bool accumulate(Layer gradient) { return worker_->accumulate(parameters, {std::move(gradient)}); }
  Layer contribution() {
    Layer push(centre.size());
    const bool pull = worker_->pulls_first();
    worker_->contribution(0, parameters[0],
                          pull ? std::span<const float>(centre) : std::span<const float>(), push);
    return push;
  }
  Outcome apply(const Layer& push, std::uint64_t staleness = 0, int worker = 0) {
    return server_->apply(centre, push, {worker, staleness});
  }
  void receive(const Layer& answer) { worker_->receive(0, parameters[0], answer); }
  ServerRule& server() { return *server_; }

 private:
  Configured configured_;
  std::unique_ptr<WorkerRule> worker_;
  std::unique_ptr<ServerRule> server_;

 public:
  Layers parameters;
  Layer centre;
};

TEST(Downpour, StepsAlongEveryGradientHoweverStale) {
  Halves h(R"({"strategy": "downpour", "lr": 0.5})", 4, {1, 2});

  ASSERT_TRUE(h.accumulate({2, -4}));
  const Layer push = h.contribution();
  EXPECT_EQ(push, (Layer{2, -4}));
  EXPECT_EQ(h.apply(push, 100), Outcome::applied);

  EXPECT_EQ(h.centre, (Layer{0, 4}));
}

TEST(Downpour, PushesTheSumOfSyncEveryGradientsAndMovesLocallyInBetween) {
  Halves h(R"({"strategy": "downpour", "lr": 0.5, "sync_every": 3, "local_lr": 0.25})", 4, {1});

  EXPECT_FALSE(h.accumulate({4}));
  EXPECT_EQ(h.parameters[0], (Layer{0}));
  EXPECT_FALSE(h.accumulate({-8}));
  EXPECT_EQ(h.parameters[0], (Layer{2}));
  EXPECT_TRUE(h.accumulate({1}));

  EXPECT_EQ(h.contribution(), (Layer{-3}));
  h.receive({7});
  EXPECT_EQ(h.parameters[0], (Layer{7}));
  EXPECT_FALSE(h.accumulate({1})) << "the next three start anew";
}

TEST(ServerOptimizer, HasMomentumWeightDecayAndADecayingRate) {
  // v1 = 2 + .5*1 = 2.5, x = 1 - .5*2.5 = -.25; then the rate is .5 / (1 + 1*1) = .25,
  // v2 = .5*2.5 + 2 + .5*(-.25) = 3.125, x = -.25 - .25*3.125 = -1.03125
  Halves h(
      R"({"strategy": "downpour", "lr": 0.5, "momentum": 0.5, "weight_decay": 0.5, "decay": 1})", 1,
      {1});
  h.apply({2});
  EXPECT_EQ(h.centre, (Layer{-0.25f}));
  h.apply({2});
  EXPECT_EQ(h.centre, (Layer{-1.03125f}));
}

TEST(ServerOptimizer, TakesAMomentumBelowZero) {
  // v1 = 2, x = -1; v2 = -.5*2 + 2 = 1, x = -1.5
  Halves h(R"({"strategy": "downpour", "lr": 0.5, "momentum": -0.5})", 1, {0});
  h.apply({2});
  h.apply({2});
  EXPECT_EQ(h.centre, (Layer{-1.5f}));
}

TEST(ServerOptimizer, AdamMovesByAboutItsRateWhateverTheGradientsSize) {
  // One step: m/(1-b1) = g, sqrt(v/(1-b2)) = |g|, so the step is lr * g / (|g| + epsilon).
  Halves h(R"({"strategy": "downpour", "optimizer": "adam", "lr": 0.125})", 1, {1, 1});
  h.apply({1000, -0.001f});
  EXPECT_NEAR(h.centre[0], 0.875, 1e-6);
  EXPECT_NEAR(h.centre[1], 1.125, 1e-5);  // epsilon 1e-8 beside 1e-3: 1e-5 of the step
}

TEST(DynSgd, DividesByStalenessPlusOne) {
  Halves h(R"({"strategy": "dynsgd", "lr": 1})", 8, {0});
  h.apply({6}, 0);
  EXPECT_EQ(h.centre, (Layer{-6}));
  h.apply({6}, 2);
  EXPECT_EQ(h.centre, (Layer{-8}));
}

TEST(Softsync, StepsOnceForEveryGatheredGradientsWeighedByStaleness) {
  // n = 6 in 2 splits: 3 gradients a step. (6/1 + 6/1 + 6/3) / 3 = 14/3
  Halves h(R"({"strategy": "softsync", "splits": 2, "lr": 1})", 6, {0});
  EXPECT_EQ(h.apply({6}, 0), Outcome::gathered);
  EXPECT_EQ(h.apply({6}, 1), Outcome::gathered);
  EXPECT_EQ(h.centre, (Layer{0}));
  EXPECT_EQ(h.apply({6}, 3), Outcome::applied);
  EXPECT_NEAR(h.centre[0], -14.0 / 3, 1e-6);
  EXPECT_EQ(h.apply({6}, 0), Outcome::gathered) << "and begins anew";
}

TEST(Easgd, MovesWorkerAndCentreTowardsEachOtherByTheSame) {
  // alpha = .5/2 = .25. x = 8 - .5*4 = 6; theta = 2: x <- 6 - .25*4 = 5, theta <- 2 + .25*4 = 3.
  Halves h(R"({"strategy": "easgd", "lr": 0.5, "elastic_force": 0.5, "sync_every": 1})", 2, {2});
  h.parameters[0] = {8};
  ASSERT_TRUE(h.accumulate({4}));
  const Layer push = h.contribution();
  ASSERT_TRUE(h.server().answers_before());
  const Layer before = h.centre;
  h.apply(push);
  h.receive(before);
  EXPECT_EQ(h.parameters[0], (Layer{5}));
  EXPECT_EQ(h.centre, (Layer{3}));
}

TEST(Easgd, TakesAlphaFromLrTimesRho) {
  Halves h(R"({"strategy": "easgd", "lr": 0.5, "rho": 0.25})", 2, {0});  // alpha .125
  h.apply({8});
  EXPECT_EQ(h.centre, (Layer{1}));
}

TEST(Eamsgd, IsNesterovsMomentumSeenFromWhereTheGradientIsTaken) {
  // x0 = 1, v0 = 0, d = .5, lr = .25. v1 = -.25*4 = -1, x1 = 0, y1 = x1 + d v1 = -.5.
  // g = 2: v2 = -.5 - .5 = -1, x2 = -1, y2 = -1.5; x is pushed. Then elastic by alpha = .5: the
  // centre is 1: x <- -1 - .5*(-2) = 0, so y <- -.5.
  Halves h(
      R"({"strategy": "easgd", "lr": 0.25, "momentum": 0.5, "elastic_force": 0.5, "sync_every": 2})",
      1, {1});
  EXPECT_FALSE(h.accumulate({4}));
  EXPECT_EQ(h.parameters[0], (Layer{-0.5f}));
  EXPECT_TRUE(h.accumulate({2}));
  EXPECT_EQ(h.parameters[0], (Layer{-1.5f}));
  EXPECT_EQ(h.contribution(), (Layer{-1}));
  h.receive({1});
  EXPECT_EQ(h.parameters[0], (Layer{-0.5f}));
}

TEST(Agn, PushesTheMeanOfTheLocalSteps) {
  Halves h(R"({"strategy": "agn", "lr": 0.5, "window": 2})", 3, {1});
  EXPECT_FALSE(h.accumulate({2}));
  EXPECT_EQ(h.parameters[0], (Layer{0}));
  EXPECT_TRUE(h.accumulate({6}));
  EXPECT_EQ(h.parameters[0], (Layer{-3}));
  const Layer push = h.contribution();
  EXPECT_EQ(push, (Layer{-2}));  // -(.5/2)(2 + 6)
  h.apply(push);
  EXPECT_EQ(h.centre, (Layer{-1}));
  h.receive(h.centre);
  EXPECT_EQ(h.parameters[0], (Layer{-1}));
}

TEST(Gem, ScalesItsStepToTheProxysEnergy) {
  // d = -.5*2 = -1, m = -1; the centre has not moved: pi = kappa*1/1 = 2, push -2, x = 4 - 2.
  Halves h(R"({"strategy": "gem", "lr": 0.5, "momentum": 0.5, "kappa": 2})", 3, {4});
  ASSERT_TRUE(h.accumulate({2}));
  Layer push = h.contribution();
  EXPECT_EQ(push, (Layer{-2}));
  h.apply(push);
  h.receive({99});
  EXPECT_EQ(h.parameters[0], (Layer{2})) << "its own step on what it pulled, not the answer";

  // m = .5*(-1) - 1 = -1.5: the proxy allows 3. From s = 4 the centre went to 2.25, by 1.75; 1.25
  // is left.
  h.centre = {2.25f};
  ASSERT_TRUE(h.accumulate({2}));
  push = h.contribution();
  EXPECT_EQ(push, (Layer{-1.25f}));
}

TEST(Gem, AddsNothingWhereTheOthersWentFarEnough) {
  Halves h(R"({"strategy": "gem", "lr": 1, "momentum": 0.5, "kappa": 2})", 3, {0, 0});
  h.accumulate({1, 1});
  h.centre = {5, 0.5f};  // the proxy allows 2 in each
  EXPECT_EQ(h.contribution(), (Layer{-0.0f, -1.5f}));
}

TEST(Gem, ClampsTheScaleToFive) {
  // m = -10 after the first step; then d = -.1, m = -9.1: pi would be 91.
  Halves h(R"({"strategy": "gem", "lr": 1, "momentum": 0.9, "kappa": 1})", 3, {0});
  h.accumulate({10});
  h.contribution();
  h.accumulate({0.1f});
  EXPECT_FLOAT_EQ(h.contribution()[0], -0.5f);
}

TEST(Gem, IsFiniteForAGradientOfZero) {
  Halves h(R"({"strategy": "gem", "lr": 1})", 3, {1, 1});
  h.accumulate({0, 1});
  h.contribution();
  h.accumulate({0, 0});  // the proxy still has momentum in the second
  for (const float x : h.contribution()) EXPECT_EQ(x, 0.0f);
}

TEST(Gem, GoesOnFromTheCentreAloneAsInThePaperWithoutLocalUpdate) {
  Halves h(R"({"strategy": "gem", "lr": 1, "local_update": false})", 3, {3});
  h.accumulate({1});
  h.contribution();
  h.receive({});
  EXPECT_EQ(h.parameters[0], (Layer{3}));
}

TEST(Synchronous, StepsOnceAlongTheMeanOfAllWorkers) {
  Halves h(R"({"strategy": "synchronous", "lr": 1})", 3, {0});
  EXPECT_EQ(h.apply({3}, 0, 2), Outcome::waits);
  EXPECT_EQ(h.apply({6}, 0, 0), Outcome::waits);
  EXPECT_EQ(h.centre, (Layer{0}));
  EXPECT_EQ(h.apply({9}, 0, 1), Outcome::applied);
  EXPECT_FLOAT_EQ(h.centre[0], -6);
}

TEST(Synchronous, SumsAsMpiLearnDoesWhenAsked) {
  Halves h(R"({"strategy": "synchronous", "lr": 1, "reduce": "sum"})", 2, {0});
  h.apply({3}, 0, 0);
  h.apply({6}, 0, 1);
  EXPECT_EQ(h.centre, (Layer{-9}));
}

TEST(Synchronous, RejectsWhatIsStale) {
  Halves h(R"({"strategy": "synchronous", "lr": 1})", 2, {0});
  EXPECT_EQ(h.apply({3}, 1, 0), Outcome::rejected);
  EXPECT_EQ(h.apply({5}, 0, 1), Outcome::waits) << "worker 0 still has to come";
}

TEST(Synchronous, ClosesTheRoundWithoutAWorkerThatLeft) {
  Halves h(R"({"strategy": "synchronous", "lr": 1})", 3, {0});
  h.apply({4}, 0, 0);
  h.apply({2}, 0, 1);
  EXPECT_TRUE(h.server().leave(h.centre, 2));
  EXPECT_EQ(h.centre, (Layer{-3}));
}

TEST(Synchronous, SumsInTheOrderOfRanksWhateverTheOrderOfArrival) {
  // In floats (1e8 + 1) - 1e8 is 0 and (1e8 - 1e8) + 1 is 1: the order shows.
  const Layer values[] = {{1e8f}, {1}, {-1e8f}};
  std::vector<float> centres;
  for (const auto& order : {std::vector{0, 1, 2}, std::vector{2, 0, 1}, std::vector{1, 2, 0}}) {
    Halves h(R"({"strategy": "synchronous", "lr": 1, "reduce": "sum"})", 3, {0});
    for (const int worker : order) h.apply(values[worker], 0, worker);
    centres.push_back(h.centre[0]);
  }
  EXPECT_EQ(centres, std::vector<float>(3, centres[0]));
}

TEST(Hybrid, AppliesEachGroupsGradientOnArrival) {
  Halves h(R"({"strategy": "hybrid", "groups": 2, "lr": 0.5, "momentum": 0.5})", 8, {0});
  EXPECT_EQ(h.apply({2}, 0, 1), Outcome::applied);
  EXPECT_EQ(h.apply({2}, 1, 0), Outcome::applied);
  EXPECT_EQ(h.centre, (Layer{-2.5f}));  // -.5*2, then -.5*(1 + 2)
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
