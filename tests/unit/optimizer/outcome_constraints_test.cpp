// Outcome constraints in the fold, the coordinator and the rungs.

#include <cmath>
#include <gmock/gmock.h>

#include "optimizer/schedulers/rungs.hpp"
#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using betatune::test::Harness;
using betatune::test::small_study;
using betatune::test::stepped_study;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kLimit = "mem <= 70";

StudySpec limited(StudySpec spec, const std::vector<std::string>& limits = {kLimit}) {
  spec.outcome_constraints.clear();
  for (const std::string& each : limits) {
    spec.outcome_constraints.push_back(Inequality::parse(each).value());
  }
  spec.document["outcome_constraints"] = limits;
  return spec;
}

/// Reports `metrics` at the step asked for, and ends.
void end_with(Harness& shell, const Assign& at, Metrics metrics) {
  shell.say("a", Report{at.trial, at.attempt, 1, at.until, std::move(metrics), {}});
  shell.done("a", at, 1);
  shell.say("a", Ready{1});
}

/// Trials that end one after the other with these losses and memories.
void end_with_memories(Harness& shell, const std::vector<std::pair<double, double>>& results) {
  Assign at = shell.begin("a");
  for (const auto& [loss, mem] : results) {
    end_with(shell, at, {{"loss", loss}, {"mem", mem}});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }
}

TEST(OutcomeConstraints, ATrialThatMeetsThemIsBetterThanAllThatDoNot) {
  Harness shell(limited(small_study()));

  end_with_memories(shell, {{0.1, 90}, {0.9, 60}, {0.2, 71}});

  EXPECT_EQ(shell.state().best, TrialId{1});
  EXPECT_EQ(shell.trial(0).violation, 20);
  EXPECT_EQ(shell.trial(1).violation, 0);
  EXPECT_THAT(shell.trial(1).outcomes, ElementsAre(-10));
}

TEST(OutcomeConstraints, WhileNoneMeetsThemTheLeastBrokenIsBest) {
  Harness shell(limited(small_study()));

  end_with_memories(shell, {{0.1, 90}, {0.9, 71}, {0.8, 71}});

  EXPECT_EQ(shell.state().best, TrialId{2});
}

TEST(OutcomeConstraints, TheTargetIsReachedOnlyWithinThem) {
  StudySpec spec = limited(small_study());
  spec.objective.target = 0.5;

  Harness outside(spec);
  end_with_memories(outside, {{0.1, 90}});
  EXPECT_FALSE(outside.finished);

  Harness within(spec);
  end_with_memories(within, {{0.1, 90}, {0.4, 60}});
  EXPECT_EQ(within.finished, "target");
}

TEST(OutcomeConstraints, ATrialThatNeverReportsTheMetricFails) {
  Harness shell(limited(small_study()));
  const Assign at = shell.begin("a");

  end_with(shell, at, {{"loss", 0.1}});

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::user);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("without reporting `mem`"));
  EXPECT_THAT(shell.trial(0).message, HasSubstr(kLimit));
}

TEST(OutcomeConstraints, ATrialWhoseSlackCannotBeComputedFails) {
  Harness shell(limited(small_study(), {"1 / mem <= 70"}));
  const Assign at = shell.begin("a");

  end_with(shell, at, {{"loss", 0.1}, {"mem", 0}});

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("cannot be computed"));
}

TEST(OutcomeConstraints, AMetricReportedOnceHoldsForTheLaterSteps) {
  Harness shell(limited(stepped_study(3, "fifo")));
  const Assign at = shell.begin("a");

  shell.report("a", at, 1, 1, 0.5);
  EXPECT_TRUE(std::isinf(shell.trial(0).violation)) << "not known is not fine";
  shell.say("a", Report{at.trial, at.attempt, 2, 2, {{"loss", 0.4}, {"mem", 75}}, {}});
  shell.report("a", at, 3, 3, 0.3);
  shell.done("a", at, 3);

  const auto& all = shell.trial(0).observations;
  ASSERT_EQ(all.size(), 3u);
  EXPECT_TRUE(std::isnan(all[0].outcomes[0]));
  EXPECT_THAT(all[1].outcomes, ElementsAre(5));
  EXPECT_THAT(all[2].outcomes, ElementsAre(5));
  EXPECT_EQ(shell.trial(0).standing, (Standing{3, 0.3, 5}));
}

TEST(OutcomeConstraints, ChangedOnesJudgeTheOldTrialsAnew) {
  Harness shell(limited(small_study()));
  end_with_memories(shell, {{0.1, 90}, {0.9, 60}});
  ASSERT_EQ(shell.state().best, TrialId{1});

  shell.restart_with(limited(small_study(), {"mem <= 100"}));

  EXPECT_EQ(shell.state().best, TrialId{0});
  EXPECT_THAT(shell.trial(0).outcomes, ElementsAre(-10));
  EXPECT_EQ(state_hash(shell.folded()), state_hash(shell.state()));

  shell.restart_with(small_study());
  EXPECT_TRUE(shell.trial(0).outcomes.empty());
  EXPECT_EQ(shell.state().best, TrialId{0});
}

TEST(OutcomeConstraints, AreInTheHashOfTheState) {
  Harness loose(limited(small_study(), {"mem <= 1000"}));
  end_with_memories(loose, {{0.1, 90}});
  StudyState other = loose.folded();
  const std::uint64_t before = state_hash(other);

  other.trials.edit(TrialId{0}).outcomes[0] += 1;

  EXPECT_NE(state_hash(other), before);
}

TEST(Rung, PutsWhatBreaksLimitsBehindAllThatDoesNot) {
  Rung rung(2);
  rung.add(TrialId{0}, 0.1, 3);
  rung.add(TrialId{1}, 0.9, 0);
  rung.add(TrialId{2}, 0.2, 1);
  rung.add(TrialId{3}, std::nullopt, 0);

  EXPECT_TRUE(rung.in_top(TrialId{1}));
  EXPECT_TRUE(rung.in_top(TrialId{2}));
  EXPECT_EQ(rung.best_open(), TrialId{1});
  rung.take(TrialId{1});
  EXPECT_EQ(rung.best_open(), TrialId{2}) << "a trial without a loss is behind all";
}

TEST(OutcomeConstraints, AshaPromotesTheTrialThatMeetsThem) {
  StudySpec spec = limited(stepped_study(9, "asha"));
  spec.stopping.trials = 3;
  Harness shell(spec);

  end_with_memories(shell, {{0.1, 90}, {0.9, 60}, {0.2, 90}});

  EXPECT_EQ(shell.state().trials[TrialId{1}].until, 3) << "the first of three goes on";
}

// At step 1 the averages are 1 and 2, then also that of the third trial, which is worse than both
// because it breaks the limit: the median is 2, and 1.2 is no worse.
TEST(MedianStopping, StopsWhatBreaksLimitsAndComparesNobodyWithItsLoss) {
  StudySpec spec = limited(stepped_study(3, "median-stopping"));
  spec.algorithm.scheduler.options = ConfigNode::from_json(Json{{"min_trials", 2}}, "study.yaml");
  Harness shell(spec);
  Assign at = shell.begin("a");
  const std::vector<std::pair<double, double>> results = {{1, 60}, {2, 60}, {0.1, 90}, {1.2, 60}};
  std::vector<std::string> stopped;
  for (const auto& [loss, mem] : results) {
    shell.say("a", Report{at.trial, at.attempt, 1, 1, {{"loss", loss}, {"mem", mem}}, {}});
    const bool stops = shell.has_sent<Decision>();
    stopped.push_back(stops ? shell.only_sent<Decision>().reason : "");
    if (!stops) shell.report("a", at, 2, 3, loss);
    shell.done("a", at, stops ? 1 : 2, stops ? AttemptEnd::stopped : AttemptEnd::reached);
    shell.sent.clear();
    shell.say("a", Ready{1});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }

  EXPECT_THAT(stopped, ElementsAre("", "", HasSubstr("breaks outcome constraints"), ""));
}

// Where half of all break them, nobody is stopped for it: somebody has to find out how to meet
// them.
TEST(MedianStopping, StopsNobodyForLimitsThatHalfOfTheTrialsBreak) {
  StudySpec spec = limited(stepped_study(3, "median-stopping"));
  spec.algorithm.scheduler.options = ConfigNode::from_json(Json{{"min_trials", 2}}, "study.yaml");
  Harness shell(spec);
  Assign at = shell.begin("a");
  for (const double mem : {90.0, 60.0, 90.0, 90.0}) {
    shell.say("a", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}, {"mem", mem}}, {}});
    EXPECT_FALSE(shell.has_sent<Decision>()) << at.trial.n;
    shell.report("a", at, 2, 3, 1);
    shell.done("a", at, 2);
    shell.sent.clear();
    shell.say("a", Ready{1});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }
}

TEST(Asha, InModeStopAReportWithoutTheObjectiveIsNoResult) {
  StudySpec spec = stepped_study(9, "asha");
  spec.algorithm.scheduler.options = ConfigNode::from_json(Json{{"mode", "stop"}}, "study.yaml");
  Harness shell(spec);
  Assign at = shell.begin("a");
  for (const double loss : {0.1, 0.2, 0.3, 0.05}) {
    // What else is known of the first step comes before its loss.
    shell.say("a", Report{at.trial, at.attempt, 1, 1, {{"mem", 60}}, {}});
    shell.report("a", at, 2, 1, loss);
    const bool stopped = shell.has_sent<Decision>();
    EXPECT_EQ(stopped, loss == 0.3) << loss << ": the third of three is not among the best third";
    shell.report("a", at, 3, 9, loss);
    shell.done("a", at, stopped ? 2 : 3, stopped ? AttemptEnd::stopped : AttemptEnd::reached);
    shell.sent.clear();
    shell.say("a", Ready{1});
    if (shell.has_sent<Assign>()) at = shell.only_sent<Assign>();
  }
}

}  // namespace
}  // namespace betatune
