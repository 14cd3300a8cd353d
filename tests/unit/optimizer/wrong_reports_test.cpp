// What trainers may say on their way to a rung that is not what was asked for: nothing, numbers
// that are none, steps beyond it, steps out of order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using testing::HasSubstr;

/// Rungs 1, 3 and 9; three trials.
StudySpec halving(int retries = 0) {
  StudySpec spec = test::stepped_study(9, "asha");
  spec.stopping.trials = 3;
  spec.trials.retry.user = retries;
  return spec;
}

void report_saved(Harness& shell, const Assign& at, std::uint64_t seq, Step step, double loss) {
  const ArtifactRef saved{"checkpoints/" + std::to_string(step), step, 1};
  shell.say("t", Report{at.trial, at.attempt, seq, step, {{"loss", loss}}, saved});
}

void end(Harness& shell, const Assign& at, std::uint64_t reports,
         AttemptEnd how = AttemptEnd::reached) {
  shell.sent.clear();
  shell.done("t", at, reports, how);
  shell.say("t", Ready{1});
}

/// All three have come to step 1, the first as the best; what it is asked for then.
Assign promoted_first(Harness& shell) {
  Assign at = shell.begin("t");
  for (const double loss : {0.1, 0.2, 0.3}) {
    report_saved(shell, at, 1, at.until, loss);
    end(shell, at, 1);
    at = shell.only_sent<Assign>();
  }
  EXPECT_EQ(at.trial, TrialId{0});
  EXPECT_EQ(at.from, 1);
  EXPECT_EQ(at.until, 3);
  return at;
}

// Its loss at step 1 says nothing of step 3. Without it nobody is among the best third of two; the
// better one is trained to the end, because the budget of trials is used.
TEST(MetricMissingAtARung, IsAFailureThoughALowerRungHadIt) {
  Harness shell(halving());
  const Assign at = promoted_first(shell);

  shell.say("t", Report{at.trial, at.attempt, 1, 3, {{"accuracy", 0.7}}, {}});
  end(shell, at, 1);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::user);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("without reporting `loss`"));
  const Assign next = shell.only_sent<Assign>();
  EXPECT_EQ(next.trial, TrialId{1});
  EXPECT_EQ(next.until, 9);
}

TEST(MetricMissingAtARung, IsTriedAgainAsOtherFailuresAre) {
  Harness shell(halving(1));
  const Assign at = promoted_first(shell);
  end(shell, at, 0);

  const Assign again = shell.only_sent<Assign>();
  EXPECT_EQ(again.trial, TrialId{0});
  EXPECT_EQ(again.from, 1);
  EXPECT_EQ(again.until, 3);

  report_saved(shell, again, 1, 2, 0.05);  // a trainer that reports seldom
  end(shell, again, 1);

  EXPECT_EQ(shell.trial(0).state, TrialState::running) << "the best at step 3 goes on to the end";
  EXPECT_EQ(shell.only_sent<Assign>().until, 9);
}

TEST(LossThatIsNaNAtARung, EndsTheTrialAndLeavesItsPlaceToTheNext) {
  Harness shell(halving());
  const Assign at = promoted_first(shell);

  shell.report("t", at, 1, 3, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::stop);
  end(shell, at, 1, AttemptEnd::stopped);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::diverged);
  EXPECT_EQ(shell.only_sent<Assign>().trial, TrialId{1});
}

// A trainer that went on to step 5 is compared by what it came to, at the rung that it was asked
// for: it does not stand at step 3, and its promotion goes there.
TEST(ReportBeyondARung, CountsAtTheRungThatWasAskedFor) {
  Harness shell(halving());
  Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.9);
  shell.report("t", at, 2, 5, 0.1);
  end(shell, at, 2);
  EXPECT_EQ(shell.state().used.steps, 1) << "of steps, only those that were asked for";
  for (const double loss : {0.2, 0.3}) {
    at = shell.only_sent<Assign>();
    report_saved(shell, at, 1, 1, loss);
    end(shell, at, 1);
  }

  const Assign next = shell.only_sent<Assign>();
  EXPECT_EQ(next.trial, TrialId{0});
  EXPECT_EQ(next.until, 3);
}

TEST(ReportsOutOfOrder, LeaveTheLossOfTheHighestStep) {
  Harness shell(halving());
  const Assign at = promoted_first(shell);

  shell.report("t", at, 1, 3, 0.5);
  shell.report("t", at, 2, 2, 0.05);
  EXPECT_FALSE(shell.has_sent<Refusal>());
  end(shell, at, 2);

  EXPECT_EQ(shell.trial(0).loss, 0.5);
  EXPECT_EQ(shell.trial(0).loss_step, 3);
  EXPECT_EQ(shell.trial(0).loss_at(2), 0.05) << "and stand in the curve at their own";
  EXPECT_EQ(shell.state().used.steps, 3 + 2);
}

// Below what it resumed from: the curve keeps the new value, the loss is that of the higher step.
TEST(ReportsOutOfOrder, BelowWhatWasResumedFromAreNoProgress) {
  Harness shell(halving());
  const Assign at = promoted_first(shell);

  shell.report("t", at, 1, 1, 0.7);
  EXPECT_EQ(shell.state().used.steps, 3);
  shell.report("t", at, 2, 3, 0.6);
  end(shell, at, 2);

  EXPECT_EQ(shell.trial(0).loss, 0.6);
  EXPECT_EQ(shell.state().used.steps, 3 + 2);
}

}  // namespace
}  // namespace betatune
