// Repeats and the confirmation of the best: in the fold, the coordinator and what models see.

#include <gmock/gmock.h>

#include "optimizer/gp/observations.hpp"
#include "optimizer/standings.hpp"
#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

StudySpec repeated_study(int repeats, std::int64_t trials) {
  StudySpec spec = small_study();
  spec.noise.repeats = repeats;
  spec.stopping.trials = trials;
  return spec;
}

StudySpec confirmed_study(std::int64_t trials, ConfirmSpec confirm) {
  StudySpec spec = repeated_study(1, trials);
  spec.noise.confirm_best = confirm;
  return spec;
}

/// One trial after the other ends with these losses; returns what was assigned.
std::vector<Assign> end_in_turn(Harness& shell, const std::vector<double>& losses) {
  std::vector<Assign> out;
  for (const double loss : losses) {
    if (!shell.has_sent<Assign>()) {
      ADD_FAILURE() << "nothing runs for the loss " << loss;
      break;
    }
    out.push_back(shell.only_sent<Assign>());
    shell.finish_trial("a", out.back(), loss);
  }
  return out;
}

std::vector<std::string> origins(const Harness& shell) {
  std::vector<std::string> out;
  for (const Trial& trial : shell.state().trials) out.push_back(trial.origin);
  return out;
}

TEST(Noise, EveryConfigurationIsTrainedAsOftenAsAskedFor) {
  Harness shell(repeated_study(3, 6));
  shell.join("a");

  const std::vector<Assign> all = end_in_turn(shell, {1, 2, 3, 4, 5, 6});

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_THAT(origins(shell),
              ElementsAre("random", "repeat", "repeat", "random", "repeat", "repeat"));
  EXPECT_EQ(all[0].params, all[2].params);
  EXPECT_NE(all[0].params, all[3].params);
  EXPECT_NE(all[0].seed, all[1].seed) << "the same seed would give the same loss";
  EXPECT_EQ(shell.trial(4).repeats, TrialId{3});
}

TEST(Noise, ABudgetThatIsNoMultipleIsKeptExactly) {
  Harness shell(repeated_study(3, 4));
  shell.join("a");

  end_in_turn(shell, {1, 2, 3, 0.5});

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 4u);
  EXPECT_EQ(shell.state().best, TrialId{3}) << "a mean of one";
}

TEST(Noise, ConfigurationsAreComparedByTheirMeans) {
  Harness shell(repeated_study(2, 4));
  shell.join("a");

  end_in_turn(shell, {0.1, 0.9});
  EXPECT_EQ(shell.trial(0).standing->loss, 0.5);
  end_in_turn(shell, {0.4});
  EXPECT_FALSE(shell.trial(2).standing) << "its repeat has not ended";
  EXPECT_EQ(shell.state().best, TrialId{0});
  end_in_turn(shell, {0.5});

  EXPECT_EQ(shell.state().best, TrialId{2});
  EXPECT_THAT(repeated_result(shell.state().trials, shell.trial(2)).losses, ElementsAre(0.4, 0.5));
  EXPECT_FALSE(shell.trial(1).standing) << "it counts with the first";
}

TEST(Noise, AFailedRepeatLeavesTheOthers) {
  Harness shell(repeated_study(3, 3));
  shell.join("a");

  const Assign first = shell.only_sent<Assign>();
  shell.done("a", first, 0, AttemptEnd::failed, FailureClass::user);
  shell.say("a", Ready{1});
  end_in_turn(shell, {0.2, 0.4});

  EXPECT_EQ(shell.state().best, TrialId{0});
  EXPECT_DOUBLE_EQ(shell.trial(0).standing->loss, 0.3);
}

TEST(Noise, ATargetIsReachedByMeansAlone) {
  StudySpec spec = repeated_study(2, 8);
  spec.objective.target = 0.3;
  spec.objectives = {spec.objective};
  Harness shell(spec);
  shell.join("a");

  end_in_turn(shell, {0.1, 0.9});
  EXPECT_FALSE(shell.finished) << "one lucky training is no reason to stop";
  end_in_turn(shell, {0.35, 0.2});

  EXPECT_EQ(shell.finished, "target");
}

TEST(Noise, FreeSlotsAreFilledWithRepeatsAndAskForNoMoreThanTheyNeed) {
  StudySpec spec = repeated_study(3, 30);
  spec.algorithm.searcher.name = "tpe";
  Harness shell(spec);

  shell.join("a", 6);

  EXPECT_EQ(shell.all_sent<Assign>().size(), 6u);
  EXPECT_EQ(shell.plans, 1);
  EXPECT_THAT(origins(shell),
              ElementsAre("centre", "repeat", "repeat", "sobol", "repeat", "repeat"));
}

TEST(Noise, TheBestAreTrainedAgainWhenTheBudgetIsUsed) {
  Harness shell(confirmed_study(3, {.top = 2, .seeds = 2}));
  shell.join("a");

  end_in_turn(shell, {0.2, 0.1, 0.9});
  EXPECT_FALSE(shell.finished);
  EXPECT_EQ(shell.state().best, TrialId{1});
  // Trial 1 was lucky.
  end_in_turn(shell, {0.5, 0.6, 0.3, 0.3});

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 7u);
  EXPECT_EQ(shell.state().confirmations, 4);
  EXPECT_EQ(shell.trial(3).repeats, TrialId{1}) << "the best goes first";
  EXPECT_EQ(shell.trial(5).repeats, TrialId{0});
  EXPECT_EQ(shell.state().best, TrialId{0});
  EXPECT_DOUBLE_EQ(shell.trial(0).standing->loss, 0.3) << "without the 0.2 that it was chosen by";
  EXPECT_EQ(repeated_result(shell.state().trials, shell.trial(0)).text(),
            " +- 0, the mean of 2 trainings made to confirm it");
}

TEST(Noise, ARestartConfirmsWhatIsMissing) {
  Harness shell(confirmed_study(2, {.top = 1, .seeds = 3}));
  shell.join("a");
  end_in_turn(shell, {0.2, 0.1, 0.3});

  shell.restart();
  shell.tick(std::chrono::seconds(60));
  shell.join("b");
  for (int i = 0; i < 2; ++i) shell.finish_trial("b", shell.only_sent<Assign>(), 0.3);

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 5u);
  EXPECT_EQ(state_hash(shell.state()), state_hash(shell.folded()));
}

TEST(Noise, AFinishedStudyThatIsToConfirmGoesOn) {
  Harness shell(repeated_study(1, 2));
  shell.join("a");
  end_in_turn(shell, {0.2, 0.1});
  ASSERT_EQ(shell.finished, "trials");

  StudySpec spec = confirmed_study(2, {.top = 1, .seeds = 1});
  spec.document["noise"] = {{"confirm_best", {{"top", 1}, {"seeds", 1}}}};
  shell.restart_with(spec);
  shell.join("b");

  ASSERT_TRUE(shell.has_sent<Assign>());
  shell.finish_trial("b", shell.only_sent<Assign>(), 0.4);
  EXPECT_EQ(shell.finished, "trials");
  EXPECT_DOUBLE_EQ(shell.trial(1).standing->loss, 0.4);
}

TEST(Noise, WhatBreaksLimitsIsNotConfirmed) {
  StudySpec spec = confirmed_study(2, {.top = 2, .seeds = 1});
  spec.outcome_constraints = {Inequality::parse("mem <= 70").value()};
  spec.document["outcome_constraints"] = {"mem <= 70"};
  Harness shell(spec);
  shell.join("a");
  for (const double mem : {90.0, 60.0}) {
    const Assign at = shell.only_sent<Assign>();
    shell.say("a", Report{at.trial, at.attempt, 1, at.until, {{"loss", 0.5}, {"mem", mem}}, {}});
    shell.done("a", at, 1);
    shell.say("a", Ready{1});
  }

  EXPECT_EQ(shell.state().confirmations, 1);
  EXPECT_EQ(shell.trial(2).repeats, TrialId{1});
}

TEST(Noise, ModelsSeeOneRowPerConfiguration) {
  Harness shell(repeated_study(2, 6));
  shell.join("a");
  end_in_turn(shell, {0.1, 0.3, 0.5});
  ObservationCollector collector;

  History history = *shell.coordinator().history();
  history.queued.clear();  // suggestions that are no trials yet

  const Observations data = collector.collect(history);

  EXPECT_THAT(data.trials, ElementsAre(0));
  EXPECT_DOUBLE_EQ(data.losses[0], 0.2);
  EXPECT_EQ(data.pending.rows(), 1) << "a configuration half done is pending";
}

TEST(Noise, SchedulersThatCompareSingleTrainingsAreRefused) {
  StudySpec spec = test::stepped_study(9, "asha");
  spec.noise.repeats = 2;
  Diagnostics problems;

  EXPECT_EQ(make_scheduler(spec, problems), nullptr);

  EXPECT_THAT(problems.render(false), HasSubstr("E0505"));
  spec.algorithm.scheduler.name = "auto";
  EXPECT_EQ(scheduler_name(spec), "fifo");
}

TEST(Noise, TheFoldRefusesARepeatOfAnotherConfiguration) {
  Harness shell(repeated_study(1, 3));
  shell.join("a");
  StudyState state = shell.state();
  TrialCreated fact;
  fact.trial = TrialId{state.trials.size()};
  fact.configuration = {{"x", 0.123}, {"n", std::int64_t{1}}};
  fact.origin = kRepeatOrigin;
  fact.repeats = TrialId{0};

  const Status applied = apply(state, Event{state.seq + 1, 0, fact});

  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().message, HasSubstr("does not have the configuration of trial 0"));
}

}  // namespace
}  // namespace betatune
