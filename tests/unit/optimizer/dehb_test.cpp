// DEHB's schedule, populations and children, worked out by hand for R = 9, eta = 3: brackets of
// 9, 3, 1 trials at steps 1, 3, 9; of 3, 1 at steps 3, 9; of 3 at step 9.

#include "optimizer/de/dehb.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using testing::ElementsAre;
using testing::HasSubstr;

DehbPlan plan() {
  return DehbPlan({1, 3, 9}, 3);
}

TEST(DehbPlan, HasSubpopulationsAsLargeAsTheLargestRungs) {
  EXPECT_THAT(plan().sizes(0), ElementsAre(9, 3, 1));
  EXPECT_THAT(plan().sizes(1), ElementsAre(3, 1));
  EXPECT_THAT(plan().sizes(2), ElementsAre(3));
  EXPECT_EQ(plan().population(0), 9u);
  EXPECT_EQ(plan().population(1), 3u);
  EXPECT_EQ(plan().population(2), 3u);
}

TEST(DehbPlan, PromotesInTheFirstIterationAndEvolvesEveryRungLater) {
  const auto stage = [](std::size_t i) {
    const DehbStage it = plan().stage(i);
    return std::vector<std::size_t>{it.trials, it.rung, it.pool_rung, it.pool,
                                    static_cast<std::size_t>(it.promotes)};
  };

  EXPECT_THAT(stage(0), ElementsAre(9, 0, 0, 9, 1));
  EXPECT_THAT(stage(1), ElementsAre(3, 1, 1, 3, 1));
  EXPECT_THAT(stage(2), ElementsAre(3, 2, 2, 3, 1));
  // The second iteration: the parents of a rung are as many of the best below as it has trials.
  EXPECT_THAT(stage(3), ElementsAre(9, 0, 0, 9, 0));
  EXPECT_THAT(stage(4), ElementsAre(3, 1, 0, 3, 0));
  EXPECT_THAT(stage(5), ElementsAre(1, 2, 1, 1, 0));
  EXPECT_THAT(stage(6), ElementsAre(3, 1, 1, 3, 0));
  EXPECT_THAT(stage(7), ElementsAre(1, 2, 1, 1, 0));
  EXPECT_THAT(stage(8), ElementsAre(3, 2, 2, 3, 0));
  EXPECT_THAT(stage(9), ElementsAre(9, 0, 0, 9, 0));
}

TEST(DehbPlan, GivesTheMembersOfARungTheirTurn) {
  const DehbPlan it = plan();
  DehbWalk walk(it);
  std::vector<std::size_t> members;
  for (int trial = 0; trial < 9 + 3 + 3 + 9 + 3 + 1; ++trial) {
    walk.advance();
    members.push_back(walk.member(walk.stage().rung, walk.place()));
  }

  // At the last rung one of bracket 0 and one of bracket 1 have trained before bracket 2.
  EXPECT_THAT(members, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8,  //
                                   0, 1, 2,                    //
                                   2, 0, 1,                    //
                                   0, 1, 2, 3, 4, 5, 6, 7, 8,  //
                                   0, 1, 2,                    //
                                   2));
}

TEST(Dehb, TrainsEveryRungOfTheSecondIterationAnew) {
  WorldShape shape;
  shape.trials = 9 + 3 + 3 + 9 + 3 + 1;
  SchedulerWorld world(fidelity_spec(1, 9, "dehb"), shape);

  world.run();

  // At step 1: twice 9. At 3: 3 promoted, 3 and 3 new. At 9: 1 and 1 promoted, 3 and 1 new.
  EXPECT_THAT(world.started(),
              ElementsAre(testing::Pair(1, 18), testing::Pair(3, 9), testing::Pair(9, 6)));
  for (std::uint64_t n = 15; n < 24; ++n) EXPECT_EQ(world.reached(TrialId{n}), 1) << n;
}

TEST(DehbPopulations, KeepTheBestOfThoseThatCompeteForAPlace) {
  WorldShape shape;
  shape.trials = 15 + 9;
  shape.loss = [](TrialId trial, Step) {
    if (trial.n < 15) return static_cast<double>(trial.n);
    return trial.n == 16 ? 1.0 : trial.n == 17 ? 1.5 : 100.0;
  };
  SchedulerWorld world(fidelity_spec(1, 9, "dehb"), shape);
  world.run();
  const DehbPlan it = plan();
  DehbWalk walk(it);

  const DehbPopulations found = dehb_populations(it, world.state().trials, walk);

  const auto trials_of = [&](std::size_t rung) {
    std::vector<std::uint64_t> out;
    for (const auto& each : found[rung]) out.push_back(each ? each->trial.n : 999);
    return out;
  };
  // Trial 15 is worse than 0, 16 equals 1 and stays as the later one, 17 is better than 2.
  EXPECT_THAT(trials_of(0), ElementsAre(0, 16, 17, 3, 4, 5, 6, 7, 8));
  // Trials 0, 1 and 2 were promoted and were better than 9, 10 and 11.
  EXPECT_THAT(trials_of(1), ElementsAre(0, 1, 2));
  // Trial 0 and then 9 had gone to the end when bracket 2 began: 12 met nobody, 13 trial 0.
  EXPECT_THAT(trials_of(2), ElementsAre(0, 9, 12));
}

TEST(DehbChild, MovesByHalfTheDifferenceInEveryColumnThatCrosses) {
  const Eigen::VectorXd target = Eigen::VectorXd::Constant(40, 0.25);
  const Eigen::VectorXd a = Eigen::VectorXd::Constant(40, 0.5);
  const Eigen::VectorXd b = Eigen::VectorXd::Constant(40, 0.9);
  const Eigen::VectorXd c = Eigen::VectorXd::Constant(40, 0.7);
  Stream stream(root_key(1));

  const Eigen::VectorXd child = dehb_child(target, a, b, c, stream);

  int crossed = 0;
  for (const double each : child) {
    if (each == 0.25) continue;
    EXPECT_NEAR(each, 0.6, 1e-12);
    ++crossed;
  }
  EXPECT_GT(crossed, 10);
  EXPECT_LT(crossed, 30);
}

TEST(DehbChild, CrossesInOneColumnAtLeastAndStaysInside) {
  const Eigen::VectorXd target = Eigen::VectorXd::Constant(1, 0.25);
  const Eigen::VectorXd high = Eigen::VectorXd::Constant(1, 1);
  const Eigen::VectorXd low = Eigen::VectorXd::Constant(1, 0);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Stream stream(root_key(seed));

    const double child = dehb_child(target, high, high, low, stream)[0];

    EXPECT_NE(child, 0.25);
    EXPECT_GE(child, 0);
    EXPECT_LE(child, 1);
  }
}

TEST(Dehb, LeavesNoChoiceOfThePopulation) {
  StudySpec spec = fidelity_spec(1, 9, "dehb");
  spec.algorithm.searcher.name = "de";
  spec.algorithm.searcher.options = ConfigNode::from_json(Json{{"population", 9}}, "study.yaml");
  Diagnostics diagnostics;

  EXPECT_EQ(make_searcher(spec, diagnostics), nullptr);
  EXPECT_THAT(diagnostics.render(false), HasSubstr("leave `population` out"));
}

}  // namespace
}  // namespace betatune
