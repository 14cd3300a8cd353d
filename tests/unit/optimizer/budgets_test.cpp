/// Budgets of resources: what attempts use of them, and how a study ends with them.

#include "optimizer/budgets.hpp"

#include <gmock/gmock.h>

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using test::stepped_study;
using namespace std::chrono_literals;

StudySpec with_trainer_hours(double hours) {
  StudySpec spec = small_study();
  spec.stopping = {};
  spec.stopping.trainer_hours = hours;
  spec.document["stopping"] = Json{{"trainer_hours", hours}};
  return spec;
}

/// The trainer says something, so that its lease does not expire.
void work(Harness& shell, const PeerId& trainer, const std::vector<Assign>& held, Monotonic time) {
  for (Monotonic left = time; left > 0s; left -= 10s) {
    shell.now += std::min<Monotonic>(left, 10s);
    Beat beat;
    for (const Assign& each : held) beat.held.push_back({each.trial, each.attempt, 0, 0});
    shell.say(trainer, beat);
  }
}

/// The state of the living process and what its log gives agree to the microsecond.
void expect_as_folded(const Harness& shell) {
  EXPECT_EQ(shell.state().used, shell.folded().used);
}

TEST(Budgets, EndTheStudyAndWhatRunsWhenTheSumOfAllAttemptsReachesThem) {
  Harness shell(with_trainer_hours(60.0 / 3600));
  shell.join("t", 2);
  const std::vector<Assign> held = shell.all_sent<Assign>();
  ASSERT_EQ(held.size(), 2u);
  shell.sent.clear();

  work(shell, "t", held, 29s);
  EXPECT_FALSE(shell.has_sent<Decision>()) << "58 seconds of two attempts";
  shell.sent.clear();
  shell.tick(1s);
  EXPECT_EQ(shell.all_sent<Decision>().size(), 2u);
  EXPECT_EQ(shell.facts<Decided>().at(0).reason, "study ends: trainer_hours");
  EXPECT_FALSE(shell.finished.has_value()) << "both still run";

  shell.done("t", held[0], 0, AttemptEnd::stopped);
  shell.say("t", Ready{1});
  EXPECT_FALSE(shell.has_sent<Assign>()) << "nothing new starts";
  shell.done("t", held[1], 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.finished, "trainer_hours");
  EXPECT_EQ(shell.facts<StudyClosed>().at(0).reason, "trainer_hours");
  EXPECT_EQ(shell.state().used.trainer_us, 60'000'000);
  expect_as_folded(shell);
}

TEST(Budgets, AddFinishedAttemptsToThoseThatRun) {
  Harness shell(with_trainer_hours(50.0 / 3600));
  const Assign first = shell.begin("t");
  work(shell, "t", {first}, 20s);
  shell.sent.clear();
  shell.finish_trial("t", first, 0.5);
  const Assign second = shell.only_sent<Assign>();

  work(shell, "t", {second}, 29s);
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.tick(1s);

  EXPECT_TRUE(shell.has_sent<Decision>());
}

TEST(Budgets, CountTimeInWhichNothingRunsAsNothing) {
  Harness shell(with_trainer_hours(50.0 / 3600));

  shell.tick(10h);

  EXPECT_EQ(shell.coordinator().budgets().at(0).used, 0);
  shell.join("t");
  EXPECT_TRUE(shell.has_sent<Assign>());
}

TEST(Budgets, CountEveryGpuOfAnAttempt) {
  StudySpec spec = small_study();
  spec.stopping.gpu_hours = 80.0 / 3600;
  spec.resources.gpus = 4;
  spec.document["resources"]["gpus"] = 4;
  Harness shell(spec);
  const Assign at = shell.begin("t");

  work(shell, "t", {at}, 19s);
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.tick(1s);
  ASSERT_TRUE(shell.has_sent<Decision>());
  shell.done("t", at, 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.finished, "gpu_hours");
  EXPECT_EQ(shell.state().used.gpu_us, 80'000'000);
  EXPECT_EQ(shell.state().used.trainer_us, 20'000'000);
  expect_as_folded(shell);
}

TEST(Budgets, CountStepsThatAreTrainedAgain) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.stopping.steps = 10;
  spec.document["stopping"]["steps"] = 10;
  Harness shell(spec);
  const Assign first = shell.begin("a");
  shell.report_saved("a", first, 1, 4);
  shell.report("a", first, 2, 6, 0.5);
  EXPECT_EQ(shell.state().used.steps, 6);
  shell.tick(31s);
  shell.sent.clear();
  const Assign second = shell.begin("b");
  ASSERT_EQ(second.from, 4);
  EXPECT_EQ(shell.state().used.steps, 6) << "what it goes on from was counted";

  shell.report("b", second, 1, 7, 0.5);
  EXPECT_EQ(shell.state().used.steps, 9) << "5 and 6 twice";
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.report("b", second, 2, 8, 0.5);
  EXPECT_TRUE(shell.has_sent<Decision>());
  shell.say("b", Done{second.trial, second.attempt, 2, 8, AttemptEnd::stopped, {}, ""});

  EXPECT_EQ(shell.finished, "steps");
  EXPECT_EQ(shell.trial(0).outcome, Outcome::stopped);
  EXPECT_EQ(state_hash(shell.state()), state_hash(shell.folded()));
  expect_as_folded(shell);
}

TEST(Budgets, TakeNoMoreStepsFromATrainerThanItWasAskedFor) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.stopping.trials = 1;
  Harness shell(spec);
  const Assign at = shell.begin("a");
  shell.report("a", at, 1, 5, 0.5);

  shell.say(
      "a",
      Done{at.trial, at.attempt, 1, std::numeric_limits<Step>::max(), AttemptEnd::reached, {}, ""});

  EXPECT_EQ(shell.state().used.steps, 9);
}

TEST(Budgets, CountReportedStepsOfATrainerThatForgotThemWhenItFailed) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.stopping.trials = 1;
  Harness shell(spec);
  const Assign at = shell.begin("a");
  shell.report("a", at, 1, 5, 0.5);

  shell.say("a", Done{at.trial, at.attempt, 1, 0, AttemptEnd::failed, FailureClass::user, "crash"});

  EXPECT_EQ(shell.state().used.steps, 5);
}

TEST(Budgets, GoOnAfterARestartWithoutTheTimeBetween) {
  Harness shell(with_trainer_hours(60.0 / 3600));
  const Assign at = shell.begin("t");
  work(shell, "t", {at}, 25s);
  shell.report("t", at, 1, 1, 0.5);  // the last that the log has of this run
  const Usage before = shell.state().used;
  EXPECT_EQ(before.trainer_us, 25'000'000);

  shell.now += 5h;
  shell.restart();

  EXPECT_EQ(shell.state().used, before);
  shell.join("t", 1, {{at.trial, at.attempt, 1, 1}});
  work(shell, "t", {at}, 34s);
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.tick(1s);
  EXPECT_TRUE(shell.has_sent<Decision>());
  shell.done("t", at, 1, AttemptEnd::stopped);
  EXPECT_EQ(shell.finished, "trainer_hours");
  EXPECT_EQ(shell.state().used.trainer_us, 60'000'000);
  expect_as_folded(shell);
}

TEST(Budgets, ThatWereUsedWhenTheOptimizerDiedLetNothingStart) {
  Harness shell(with_trainer_hours(60.0 / 3600));
  const Assign at = shell.begin("t");
  work(shell, "t", {at}, 30s);
  shell.report("t", at, 1, 1, 0.5);

  shell.restart_with(with_trainer_hours(20.0 / 3600));
  EXPECT_FALSE(shell.finished.has_value()) << "its trainer may still come back";
  shell.join("u");
  EXPECT_FALSE(shell.has_sent<Assign>());
  shell.tick(31s);

  EXPECT_EQ(shell.finished, "trainer_hours");
  EXPECT_EQ(shell.state().trials.size(), 1u);
}

TEST(Budgets, ThatAreRaisedInTheStudyFileReopenTheStudy) {
  Harness shell(with_trainer_hours(20.0 / 3600));
  const Assign at = shell.begin("t");
  work(shell, "t", {at}, 20s);
  shell.done("t", at, 0, AttemptEnd::stopped);
  ASSERT_EQ(shell.finished, "trainer_hours");
  const std::size_t events = shell.log().size();

  shell.restart();
  EXPECT_EQ(shell.finished, "trainer_hours") << "the same file again says so at once";
  EXPECT_EQ(shell.log().size(), events) << "and leaves the log as it is";

  shell.restart_with(with_trainer_hours(30.0 / 3600));
  EXPECT_FALSE(shell.finished.has_value());
  const Assign next = shell.begin("t");
  EXPECT_EQ(next.trial, TrialId{1});
  work(shell, "t", {next}, 10s);
  EXPECT_TRUE(shell.has_sent<Decision>()) << "ten seconds were left";

  StudySpec without = with_trainer_hours(1);
  without.stopping = {};
  without.stopping.trials = 2;
  shell.done("t", next, 0, AttemptEnd::stopped);
  shell.restart_with(without);
  EXPECT_FALSE(shell.finished.has_value()) << "somebody may have asked for more meanwhile";
  shell.tick();
  EXPECT_EQ(shell.finished, "trials") << "the rule that closed it is gone, another one holds";
}

TEST(Budgets, AreToldWithTheirUnits) {
  StoppingSpec stopping;
  stopping.gpu_hours = 12;
  stopping.trainer_hours = 0.5;
  stopping.steps = 1'000'000;
  const Usage used{600'000'000, 11'548'800'000, 123'456};

  EXPECT_EQ(budgets_text(budgets_of(stopping, used)),
            "3.21 of 12 GPU-hours, 0.167 of 0.5 trainer-hours, 123456 of 1000000 steps");
  EXPECT_EQ(budgets_text(budgets_of({}, used)), "");
}

}  // namespace
}  // namespace betatune
