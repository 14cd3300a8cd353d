// What schedulers do at ties, failures and budget ends, after a restart, with other numbers of
// workers, and where trials take unequal times: worked out by hand from their papers' rules.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::SchedulerWorld;
using support::WorldShape;
using testing::ElementsAre;
using testing::Pair;

/// Trial n has the loss n * factor at every step.
WorldShape losses(int trials, double factor, int slots = 1) {
  WorldShape shape;
  shape.trials = trials;
  shape.slots = slots;
  shape.retries = 0;
  shape.loss = [factor](TrialId trial, Step) { return factor * static_cast<double>(trial.n); };
  return shape;
}

WorldShape in_order(int trials, int slots = 1) {
  return losses(trials, 1, slots);
}
WorldShape equal(int trials) {
  return losses(trials, 0);
}

std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all(to - from);
  std::iota(all.begin(), all.end(), from);
  return all;
}

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> trials) {
  std::ranges::sort(trials);
  return trials;
}

StudySpec asha(bool finish = false) {
  return fidelity_spec(1, 9, "asha", Json{{"finish", finish}});
}

// ---- ties: the older trial is the better one ----

TEST(Ties, OfABracketGoToTheOlderTrials) {
  SchedulerWorld world(fidelity_spec(1, 9, "successive-halving"), equal(9));

  world.run();

  EXPECT_THAT(world.order(3), ElementsAre(0, 1, 2));
  EXPECT_THAT(world.order(9), ElementsAre(0));
}

TEST(Ties, PromoteTheOlderTrialFirst) {
  SchedulerWorld world(asha(true), equal(6));

  world.run();

  EXPECT_THAT(world.story(),
              ElementsAre("0@1", "1@1", "2@1", "0@3", "3@1", "4@1", "5@1", "1@3", "0@9"));
}

// The first two pass, as there are no three to compare; of three and more one goes on, the oldest.
TEST(Ties, StopTheYoungerTrial) {
  SchedulerWorld world(fidelity_spec(1, 9, "asha", Json{{"mode", "stop"}}), equal(5));

  world.run();

  EXPECT_EQ(world.reached(TrialId{0}), 9);
  EXPECT_EQ(world.reached(TrialId{1}), 9);
  for (const std::uint64_t n : {2u, 3u, 4u}) EXPECT_EQ(world.reached(TrialId{n}), 1) << n;
}

// Equal losses stand at a higher rung as below it, so there is no rung more.
TEST(Ties, AreNoChangeOfOrder) {
  SchedulerWorld world(fidelity_spec(1, 8, "pasha", Json{{"eta", 2}}), equal(6));

  world.run();

  EXPECT_THAT(world.story(),
              ElementsAre("0@1", "1@1", "0@2", "2@1", "3@1", "1@2", "4@1", "5@1", "2@2", "0@8"));
}

// ---- failures: who fails for good leaves every comparison ----

// Of nine trials, 0 fails at once: a third of eight is two. Then 1 fails on its way to step 3: a
// third of seven is two still, of which 3 is the second. Of two results at step 3 the best goes on.
TEST(Failures, LeaveTheirPlacesInABracketToTheNext) {
  WorldShape shape = in_order(9);
  shape.fails = [](TrialId trial, Step step) {
    return trial.n == 0 || (trial.n == 1 && step == 2);
  };
  SchedulerWorld world(fidelity_spec(1, 9, "successive-halving"), shape);

  world.run();

  EXPECT_THAT(world.order(3), ElementsAre(1, 2, 3));
  EXPECT_THAT(world.order(9), ElementsAre(2));
}

// Trial 0 was the best of three. Without it there are two results, of which nobody goes on; a third
// comes with trial 3.
TEST(Failures, LeaveTheirPromotionToTheNext) {
  WorldShape shape = in_order(4);
  shape.fails = [](TrialId trial, Step step) { return trial.n == 0 && step == 2; };
  SchedulerWorld world(asha(), shape);

  world.run();

  EXPECT_THAT(world.story(), ElementsAre("0@1", "1@1", "2@1", "0@3", "3@1", "1@3"));
}

// ---- the end of a budget, and a larger one after it ----

// Five of nine: a third of them is one. With the larger budget a new bracket begins, as the first
// rung of the old one has been compared.
TEST(GrownBudgets, BeginANewBracket) {
  SchedulerWorld world(fidelity_spec(1, 9, "successive-halving"), in_order(5));
  world.run();
  ASSERT_THAT(world.started(), ElementsAre(Pair(1, 5), Pair(3, 1), Pair(9, 1)));

  world.restart(5 + 9, 1);
  world.run();

  EXPECT_THAT(world.order(3), ElementsAre(0, 5, 6, 7));
  EXPECT_THAT(world.order(9), ElementsAre(0, 5));
}

// The paper's table for R = 81: its second bracket begins 27 trials at step 3.
TEST(GrownBudgets, GoOnWithHyperbandsNextBracket) {
  SchedulerWorld world(fidelity_spec(1, 81, "hyperband"), in_order(10));
  world.run();

  world.restart(10 + 27, 1);
  world.run();

  EXPECT_THAT(world.started(), ElementsAre(Pair(1, 10), Pair(3, 3 + 27), Pair(9, 1 + 9),
                                           Pair(27, 1 + 3), Pair(81, 1 + 1)));
  EXPECT_THAT(world.order(27), ElementsAre(0, 10, 11, 12));
}

// ---- the number of workers ----

// Who belongs to which bracket, and who goes on, is the paper's table with any number of them.
TEST(Workers, ThatComeAndGoChangeNothingOfHyperbandsTable) {
  SchedulerWorld world(fidelity_spec(1, 81, "hyperband"), in_order(81 + 27 + 9 + 6 + 5));
  world.run(100);
  world.restart(128, 64);
  world.run(1000);
  world.restart(128, 3);
  world.run();

  EXPECT_THAT(world.started(), ElementsAre(Pair(1, 81), Pair(3, 27 + 27), Pair(9, 9 + 9 + 9),
                                           Pair(27, 3 + 3 + 3 + 6), Pair(81, 1 + 1 + 1 + 2 + 5)));
  std::vector<std::uint64_t> at3 = range(0, 27);
  for (const auto n : range(81, 108)) at3.push_back(n);
  EXPECT_EQ(sorted(world.order(3)), at3);
  EXPECT_THAT(sorted(world.order(81)), ElementsAre(0, 81, 108, 117, 118, 123, 124, 125, 126, 127));
}

// Every trial is better than all before it. At second 3 there are three workers instead of one: 2
// goes on, 3 and 4 begin; both end at second 4 as the best so far. 5 begins where 2 has come to
// step 3. At second 6 there are three results at step 3, of which 4 is the best.
TEST(Workers, ThatComeInTheMiddleAreKeptBusy) {
  WorldShape shape = losses(6, -1);
  shape.side_by_side = true;
  shape.seconds = [](TrialId) { return 1.0; };
  SchedulerWorld world(asha(), shape);
  const std::size_t of_trial = 5;  // created, started, reported, saved, ended
  world.run(2 + 3 * of_trial);
  world.restart(6, 3);

  world.run();

  EXPECT_THAT(world.story(), ElementsAre("0@1", "1@1", "2@1", "2@3", "3@1", "4@1", "3@3", "4@3",
                                         "5@1", "4@9", "5@3", "5@9"));
}

// ---- unequal times ----

/// Trial 0 takes five seconds for each step, the others one. Two workers.
WorldShape slow_first(int trials) {
  WorldShape shape = in_order(trials, 2);
  shape.side_by_side = true;
  shape.seconds = [](TrialId trial) { return trial.n == 0 ? 5.0 : 1.0; };
  return shape;
}

// At second 3 there are three results without the slow one, and 1 is promoted. At second 5 it has
// come, is the best of four, and goes on as well.
TEST(UnequalTimes, NobodyWaitsForASlowTrialAndItIsPromotedWhenItComes) {
  SchedulerWorld world(asha(), slow_first(5));

  world.run();

  EXPECT_THAT(world.story(), ElementsAre("0@1", "1@1", "2@1", "3@1", "1@3", "0@3", "4@1"));
}

// The first bracket waits for it; the other worker begins the second one, which ends before.
TEST(UnequalTimes, ABracketWaitsAndTheNextOneDoesNot) {
  SchedulerWorld world(fidelity_spec(1, 9, "successive-halving", Json{{"trials", 3}}),
                       slow_first(6));

  world.run();

  EXPECT_THAT(world.story(),
              ElementsAre("0@1", "1@1", "2@1", "3@1", "4@1", "5@1", "0@3", "3@3", "3@9", "0@9"));
}

// ---- the whole ladder ----

// Bracket s = 0 of asynchronous halving with R = 81, eta = 3: as many as successive halving trains.
TEST(Asha, TrainsAsManyOnEachRungAsSuccessiveHalving) {
  SchedulerWorld world(fidelity_spec(1, 81, "asha"), in_order(81));

  world.run();

  EXPECT_THAT(world.started(),
              ElementsAre(Pair(1, 81), Pair(3, 27), Pair(9, 9), Pair(27, 3), Pair(81, 1)));
}

}  // namespace
}  // namespace betatune
