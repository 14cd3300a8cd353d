// Schedulers against results worked out by hand and the tables of their papers.

#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <numeric>

#include "tests/support/scheduler_world.hpp"

namespace betatune {
namespace {

using support::fidelity_spec;
using support::scheduler_of;
using support::SchedulerWorld;
using support::WorldShape;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

/// Trial n has the loss n at every step.
WorldShape in_order(int trials, int slots = 1) {
  WorldShape shape;
  shape.trials = trials;
  shape.slots = slots;
  shape.loss = [](TrialId trial, Step) { return static_cast<double>(trial.n); };
  return shape;
}

std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all(to - from);
  std::iota(all.begin(), all.end(), from);
  return all;
}

// Table 1 of the paper (arXiv:1603.06560), R = 81, eta = 3.
TEST(Hyperband, BeginsAndPromotesAsThePapersTable) {
  SchedulerWorld world(fidelity_spec(1, 81, "hyperband"), in_order(81 + 27 + 9 + 6 + 5));

  world.run();

  // Bracket 4 is trials 0 .. 80, bracket 3 trials 81 .. 107, 2: 108 .. 116, 1: 117 .. 122, 0: 123
  // ..
  EXPECT_EQ(world.order(1), range(0, 81));
  std::vector<std::uint64_t> at3 = range(0, 27);
  for (const auto n : range(81, 108)) at3.push_back(n);
  EXPECT_EQ(world.order(3), at3);
  std::vector<std::uint64_t> at9 = range(0, 9);
  for (const auto n : range(81, 90)) at9.push_back(n);
  for (const auto n : range(108, 117)) at9.push_back(n);
  EXPECT_EQ(world.order(9), at9);
  EXPECT_THAT(world.order(27),
              ElementsAre(0, 1, 2, 81, 82, 83, 108, 109, 110, 117, 118, 119, 120, 121, 122));
  EXPECT_THAT(world.order(81), ElementsAre(0, 81, 108, 117, 118, 123, 124, 125, 126, 127));
}

TEST(Hyperband, BeginsTheFirstBracketAgainAfterTheLast) {
  SchedulerWorld world(fidelity_spec(1, 9, "hyperband"), in_order(2 * (9 + 3 + 3)));

  world.run();

  EXPECT_THAT(world.started(),
              ElementsAre(Pair(1, 18), Pair(3, 2 * (3 + 3)), Pair(9, 2 * (1 + 1 + 3))));
}

TEST(Hyperband, BeginsTheNextBracketInsteadOfWaiting) {
  // Ten slots, a bracket of nine: the tenth slot takes a trial of the second bracket.
  const StudySpec spec = fidelity_spec(1, 9, "hyperband");
  SchedulerWorld world(spec, in_order(15, 10));

  world.run();

  const auto& asked = world.asked();
  ASSERT_GE(asked.size(), 10u);
  EXPECT_EQ(std::get<StartNew>(*asked[8].answer).until, 1);
  EXPECT_EQ(std::get<StartNew>(*asked[9].answer).until, 3);
}

TEST(Hyperband, GoesOnWithWhatItHasWhenTheBudgetEndsInsideABracket) {
  SchedulerWorld world(fidelity_spec(1, 81, "hyperband"), in_order(10));

  world.run();

  // 10 results: 3 go on, then 1, which is trained to the end.
  EXPECT_THAT(world.started(),
              ElementsAre(Pair(1, 10), Pair(3, 3), Pair(9, 1), Pair(27, 1), Pair(81, 1)));
}

TEST(SuccessiveHalving, ComparesAWholeRungBeforeAnyoneGoesOn) {
  SchedulerWorld world(fidelity_spec(1, 9, "successive-halving"), in_order(9, 3));

  world.run();

  EXPECT_EQ(world.order(1), range(0, 9));
  EXPECT_THAT(world.order(3), ElementsAre(0, 1, 2));
  EXPECT_THAT(world.order(9), ElementsAre(0));
}

TEST(SuccessiveHalving, TakesTheSizeOfItsBracketFromTheStudyFile) {
  const Json options{{"trials", 4}, {"eta", 2}};
  SchedulerWorld world(fidelity_spec(1, 4, "successive-halving", options), in_order(8));

  world.run();

  EXPECT_THAT(world.order(2), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(world.order(4), ElementsAre(0, 4));
}

TEST(Asha, PromotesAsSoonAsSomebodyIsInTheTopThird) {
  WorldShape shape = in_order(6);
  shape.loss = [](TrialId trial, Step) {
    return std::array{0.9, 0.1, 0.5, 0.6, 0.7, 0.05}.at(trial.n);
  };
  SchedulerWorld world(fidelity_spec(1, 9, "asha", Json{{"finish", false}}), shape);

  world.run();

  // Three results promote trial 1; six promote the second best of them, trial 5.
  EXPECT_THAT(world.story(), ElementsAre("0@1", "1@1", "2@1", "1@3", "3@1", "4@1", "5@1", "5@3"));
}

TEST(Asha, PromotesWhoeverOvertakesThePromoted) {
  WorldShape shape = in_order(5);
  shape.loss = [](TrialId trial, Step) { return -static_cast<double>(trial.n); };
  SchedulerWorld world(fidelity_spec(1, 9, "asha", Json{{"finish", false}}), shape);

  world.run();

  // The best one of four, and of five, is new and not promoted yet (get_job in the paper).
  EXPECT_THAT(world.story(),
              ElementsAre("0@1", "1@1", "2@1", "2@3", "3@1", "3@3", "4@1", "4@3", "4@9"));
}

TEST(Asha, TrainsTheBestOneFullyAtTheEndOfTheBudget) {
  SchedulerWorld world(fidelity_spec(1, 9, "asha"), in_order(6));

  world.run();

  EXPECT_THAT(world.order(9), ElementsAre(0));
}

TEST(Asha, PrefersTheHighestRung) {
  SchedulerWorld world(fidelity_spec(1, 9, "asha"), in_order(27));

  world.run();

  EXPECT_THAT(world.started(), ElementsAre(Pair(1, 27), Pair(3, 9), Pair(9, 3)));
}

TEST(Asha, StopsTrialsThatAreNotAmongTheBest) {
  const StudySpec spec = fidelity_spec(1, 9, "asha", Json{{"mode", "stop"}});
  SchedulerWorld world(spec, in_order(12));

  world.run();

  // Losses only get worse: the first two of each rung pass, trial 2 makes three and is third.
  EXPECT_EQ(world.reached(TrialId{0}), 9);
  EXPECT_EQ(world.reached(TrialId{1}), 9);
  for (std::uint64_t n = 2; n < 12; ++n) {
    EXPECT_EQ(world.reached(TrialId{n}), 1) << n;
    EXPECT_EQ(world.state().trials[TrialId{n}].outcome, Outcome::stopped) << n;
  }
}

/// The loss of every trial at steps 1, 2, ...
WorldShape by_table(std::vector<std::vector<double>> losses) {
  WorldShape shape = in_order(static_cast<int>(losses.size()));
  shape.loss = [table = std::move(losses)](TrialId trial, Step step) {
    return table.at(trial.n).at(static_cast<std::size_t>(step - 1));
  };
  return shape;
}

// Worked out by hand: the running averages of trials 0, 1 and 2 are 1, 2, 3 at step 1, and 1.5, 2,
// 2.5 at step 2, so the medians are 2 and 2.
TEST(MedianStopping, StopsWhatIsWorseThanTheMedianOfTheRunningAverages) {
  const StudySpec spec = fidelity_spec(1, 3, "median-stopping", Json{{"min_trials", 3}});
  SchedulerWorld world(spec, by_table({{1, 2, 3},    //
                                       {2, 2, 2},    //
                                       {3, 2, 1},    //
                                       {2.1, 1, 1},  // worse than 2 at once
                                       {2, 5, 5},    // its best stays 2: no worse than 2
                                       {1.9, 1.8, 0.5}}));

  world.run();

  EXPECT_EQ(world.reached(TrialId{3}), 1);
  EXPECT_EQ(world.state().trials[TrialId{3}].outcome, Outcome::stopped);
  for (const std::uint64_t n : {0u, 1u, 2u, 4u, 5u}) {
    EXPECT_EQ(world.reached(TrialId{n}), 3) << n;
    EXPECT_EQ(world.state().trials[TrialId{n}].outcome, Outcome::completed) << n;
  }
}

// Trial 2 stops at step 1, where it stands with 9 from then on: at step 2 the averages are 1.5, 2.5
// and 9, so a best of 2.5 goes on. The median of those trained to the end, 2, would stop it.
TEST(MedianStopping, CountsWhatWasStoppedWithWhatItReported) {
  const StudySpec spec = fidelity_spec(1, 3, "median-stopping", Json{{"min_trials", 2}});
  SchedulerWorld world(spec, by_table({{1, 2, 2},  //
                                       {3, 2, 2},
                                       {9, 0, 0},
                                       {2.5, 2.5, 2.5},
                                       {3.5, 0, 0}}));

  world.run();

  EXPECT_EQ(world.reached(TrialId{2}), 1);
  EXPECT_EQ(world.reached(TrialId{3}), 3);
  EXPECT_EQ(world.reached(TrialId{4}), 1) << "worse than 2.75, the median of 1, 2.5, 3 and 9";
}

/// Losses in no order, constant: half of all trials are worse than the median of all before them.
TEST(MedianStopping, StopsHalfAndNotNearlyAll) {
  WorldShape shape;
  shape.trials = 400;
  shape.loss = [](TrialId trial, Step) { return static_cast<double>((trial.n * 619) % 1009); };
  SchedulerWorld world(fidelity_spec(1, 3, "median-stopping"), shape);

  world.run();

  const auto whole = std::ranges::count(world.state().trials, Outcome::completed, &Trial::outcome);
  EXPECT_GT(whole, 180);
  EXPECT_LT(whole, 225);
}

TEST(MedianStopping, WaitsForEnoughTrialsAndForTheGrace) {
  const Json options{{"min_trials", 2}, {"grace", 2}};
  SchedulerWorld world(fidelity_spec(1, 3, "median-stopping", options),
                       by_table({{9, 9, 9}, {1, 1, 1}, {20, 20, 1}, {2, 2, 2}}));

  world.run();

  EXPECT_EQ(world.reached(TrialId{1}), 3) << "one trial is no median";
  EXPECT_EQ(world.reached(TrialId{2}), 2) << "not at step 1; its best is 20, the median 5";
  EXPECT_EQ(world.reached(TrialId{3}), 3);
}

// Six trials, eta 2: three go to step 2, which is the highest rung at first. They stand there as
// they stood at step 1, so nobody goes further, until the budget is used and the best one may.
TEST(Pasha, GoesNoFurtherWhileTheOrderHolds) {
  SchedulerWorld world(fidelity_spec(1, 8, "pasha", Json{{"eta", 2}}), in_order(6));

  world.run();

  EXPECT_THAT(world.order(2), ElementsAre(0, 1, 2));
  EXPECT_THAT(world.order(4), ElementsAre());
  EXPECT_THAT(world.order(8), ElementsAre(0));
}

TEST(Pasha, GoesOneRungFurtherWhenTheOrderChanges) {
  WorldShape shape = in_order(8);
  // At step 1 in the order of the trials; from step 2 on in the opposite one.
  shape.loss = [](TrialId trial, Step step) {
    const double n = static_cast<double>(trial.n);
    return step == 1 ? n : 100 - n;
  };
  SchedulerWorld world(fidelity_spec(1, 8, "pasha", Json{{"eta", 2}}), shape);

  world.run();

  EXPECT_THAT(world.order(2), ElementsAre(0, 1, 2, 3));
  // Trial 1 changes places with trial 0 at step 2. From there to step 4 the order holds: there is
  // no rung at step 8, but for the best one at the end.
  EXPECT_THAT(world.order(4), ElementsAre(1, 2, 3));
  EXPECT_THAT(world.order(8), ElementsAre(3));
}

// Rungs at 4, 8, 16 and 32, eta 2. Trials 0 and 1 change places at step 8, where they are 0.3
// apart; at step 4 they were 0.1 apart. Where their curves have crossed and crossed back before,
// epsilon is 0.3, and such a change means nothing.
TEST(Pasha, LeavesOutOfAccountWhatIsNoise) {
  const auto went_to_16 = [](bool noisy) {
    WorldShape shape = in_order(4);
    shape.loss = [noisy](TrialId trial, Step step) {
      if (trial.n > 1) return 0.9;
      if (trial.n == 0) return step < 8 ? 0.5 : 0.7;
      if (noisy && step == 2) return 0.45;
      return step < 8 ? 0.6 : 0.4;
    };
    SchedulerWorld world(fidelity_spec(4, 32, "pasha", Json{{"eta", 2}}), shape);
    world.run();
    EXPECT_THAT(world.order(8), ElementsAre(0, 1));
    return world.order(16);
  };

  EXPECT_THAT(went_to_16(false), ElementsAre(1));
  EXPECT_THAT(went_to_16(true), ElementsAre());
}

// The trials of GoesNoFurtherWhileTheOrderHolds, whose losses keep their order; but in the second
// objective they change places from step 2 on.
TEST(Pasha, GoesOneRungFurtherWhenTheOrderChangesInAnyObjective) {
  WorldShape shape = in_order(6);
  shape.cost = [](TrialId trial, Step step) {
    const double n = static_cast<double>(trial.n);
    return step == 1 ? n : 100 - n;
  };
  const StudySpec spec = support::with_cost(fidelity_spec(1, 8, "pasha", Json{{"eta", 2}}));
  SchedulerWorld world(spec, shape);

  world.run();

  EXPECT_THAT(world.order(2), ElementsAre(0, 1, 2));
  EXPECT_THAT(world.order(4), testing::Not(ElementsAre()));
}

TEST(Fifo, TrainsEveryTrialFully) {
  SchedulerWorld world(fidelity_spec(1, 9, "fifo"), in_order(5, 2));

  world.run();

  EXPECT_THAT(world.started(), ElementsAre(Pair(9, 5)));
}

std::string problems_of(const StudySpec& spec) {
  Diagnostics diagnostics;
  EXPECT_EQ(make_scheduler(spec, diagnostics), nullptr);
  return diagnostics.render(false);
}

TEST(MakeScheduler, TakesAshaWhereThereIsSomethingToCompareEarly) {
  WorldShape shape = in_order(3);
  SchedulerWorld with(fidelity_spec(1, 9, "auto"), shape);
  SchedulerWorld without(fidelity_spec(1, 1, "auto"), shape);
  with.run();
  without.run();

  EXPECT_EQ(with.started().begin()->first, 1);
  EXPECT_THAT(with.started(), testing::Contains(Pair(9, 1)));
  EXPECT_THAT(without.started(), ElementsAre(Pair(1, 3)));
}

TEST(MakeScheduler, TellsWhatIsWrong) {
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "hyperbnd")), HasSubstr("did you mean `hyperband`"));
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "asha", Json{{"eta", 1}})),
              HasSubstr("eta must be above 1"));
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "hyperband", Json{{"eta", 0.5}})),
              HasSubstr("eta must be above 1"));
  // The ladder of the one would have more rungs than there are numbers, the bracket of the other
  // more trials.
  for (const double eta : {1 + 1e-15, 1e300}) {
    EXPECT_THAT(problems_of(fidelity_spec(1, 1'000'000, "hyperband", Json{{"eta", eta}})),
                HasSubstr("from 1.01 to 1000"));
  }
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "successive-halving", Json{{"trials", 0}})),
              HasSubstr("at least 1"));
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "median-stopping", Json{{"grace", 9}})),
              HasSubstr("grace must be from 1 to 8"));
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "median-stopping", Json{{"min_trials", 0}})),
              HasSubstr("min_trials must be at least 1"));
  EXPECT_THAT(problems_of(fidelity_spec(1, 9, "asha", Json{{"mode", "pause"}})),
              HasSubstr("promote"));
  for (const char* name : {"pbt", "median-stopping"}) {
    EXPECT_THAT(problems_of(fidelity_spec(1, 1, name)), HasSubstr("`fidelity.max` is 1"));
  }
  StudySpec spec = fidelity_spec(1, 9, "asha");
  spec.fidelity.reset();
  EXPECT_THAT(problems_of(spec), HasSubstr("fidelity"));
}

}  // namespace
}  // namespace betatune
