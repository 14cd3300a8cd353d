/// How attempts, trials and studies end, are lost and retried.

#include <gmock/gmock.h>

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using test::stepped_study;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(CoordinatorLease, EndsTheAttemptOfASilentTrainerAndGoesOnFromItsCheckpoint) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign first = shell.begin("a");
  shell.report_saved("a", first, 1, 4);

  shell.tick(31s);
  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_EQ(shell.trial(0).failures.at(FailureClass::infra), 1);
  shell.sent.clear();

  const Assign second = shell.begin("b");
  EXPECT_EQ(second.trial, first.trial);
  EXPECT_EQ(second.attempt.n, 2u);
  EXPECT_EQ(second.from, 4);
  EXPECT_EQ(second.resume_from->uri, "checkpoints/4");
  EXPECT_EQ(second.until, 9);
  EXPECT_EQ(second.seed, first.seed);
}

TEST(CoordinatorLease, IsRenewedByAnyMessage) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("a");

  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    shell.tick(20s);
    shell.report("a", at, seq, static_cast<Step>(seq), 0.5);
  }

  EXPECT_EQ(shell.trial(0).state, TrialState::running);
  EXPECT_EQ(shell.trial(0).last_seq, 5u);
}

TEST(CoordinatorLease, StartsAgainFromTheBeginningIfTheTrainerCannotResume) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.fidelity->resumable = false;
  Harness shell(spec);
  shell.join("a");
  shell.report_saved("a", shell.only_sent<Assign>(), 1, 4);
  shell.tick(31s);
  shell.sent.clear();

  const Assign again = shell.begin("b");
  EXPECT_EQ(again.from, 0);
  EXPECT_FALSE(again.resume_from.has_value());
}

TEST(CoordinatorLease, CountsWholeWorkAsReachedAlthoughItsDoneWasLost) {
  Harness shell(stepped_study(9, "fifo"));
  shell.join("a");
  shell.report_saved("a", shell.only_sent<Assign>(), 1, 9);

  shell.tick(31s);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
}

TEST(CoordinatorLease, CountsWholeWorkOfTheSameAttemptOnly) {
  StudySpec spec = stepped_study(9, "fifo");
  spec.trials.retry.user = 1;
  Harness shell(spec);
  const Assign first = shell.begin("a");
  shell.report_saved("a", first, 1, 9);
  shell.done("a", first, 1, AttemptEnd::failed, FailureClass::user);
  shell.sent.clear();
  shell.say("a", Ready{1});
  ASSERT_EQ(shell.only_sent<Assign>().attempt.n, 2u);

  shell.tick(31s);

  EXPECT_EQ(shell.trial(0).state, TrialState::created) << "the second attempt reported nothing";
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::infra);
}

TEST(CoordinatorDone, OfAMachineThatFailedAfterWholeWorkIsReached) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign first = shell.begin("a");
  shell.report_saved("a", first, 1, 9);

  shell.done("a", first, 1, AttemptEnd::failed, FailureClass::infra);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(shell.trial(0).failures.count(FailureClass::infra), 0u);
}

TEST(CoordinatorRetry, GivesUpAfterTheRetriesOfTheFailuresKind) {
  StudySpec spec = small_study();
  spec.trials.retry.oom = 1;
  spec.stopping.trials = 1;
  Harness shell(spec);

  const Assign first = shell.begin("t");
  shell.done("t", first, 0, AttemptEnd::failed, FailureClass::oom);
  shell.say("t", Ready{1});
  const Assign second = shell.only_sent<Assign>();
  EXPECT_EQ(second.attempt.n, 2u);
  shell.done("t", second, 0, AttemptEnd::failed, FailureClass::oom);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.finished, "trials");
  EXPECT_FALSE(shell.state().best.has_value());
}

TEST(CoordinatorDone, WithoutAnyObjectiveIsTheUsersFailure) {
  Harness shell(small_study());
  shell.join("t");

  shell.done("t", shell.only_sent<Assign>(), 0);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::user);
  EXPECT_THAT(shell.trial(0).message, HasSubstr("without reporting `loss`"));
}

TEST(CoordinatorDone, AfterALossThatIsNotFiniteIsDiverged) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");

  shell.report("t", at, 1, 1, std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::stop);
  shell.done("t", at, 1, AttemptEnd::stopped);

  EXPECT_EQ(shell.facts<Reported>().at(0).metrics.size(), 0u);
  EXPECT_TRUE(shell.facts<Reported>().at(0).diverged);
  EXPECT_EQ(shell.trial(0).outcome, Outcome::failed);
  EXPECT_EQ(shell.trial(0).last_failure, FailureClass::diverged);
}

TEST(CoordinatorObjective, IsNegatedWhereItIsMaximized) {
  StudySpec spec = small_study();
  spec.objective = ObjectiveSpec{"accuracy", Goal::maximize, {}};
  Harness shell(spec);
  shell.join("t", 2);
  for (const Assign& at : shell.all_sent<Assign>()) {
    const double accuracy = at.trial.n == 0 ? 0.9 : 0.8;
    shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"accuracy", accuracy}}, {}});
    shell.done("t", at, 1);
  }

  EXPECT_EQ(shell.state().best, TrialId{0});
  EXPECT_EQ(shell.trial(0).loss, -0.9);
}

TEST(CoordinatorEnd, ComesWithTheTargetAndStopsWhatRuns) {
  StudySpec spec = small_study();
  spec.objective.target = 0.1;
  Harness shell(spec);
  const Assign first = shell.begin("a");
  const Assign second = shell.begin("b");

  shell.report("a", first, 1, 1, 0.05);
  shell.done("a", first, 1);
  EXPECT_EQ(shell.only_sent<Decision>().trial, second.trial);
  EXPECT_FALSE(shell.finished.has_value());
  shell.done("b", second, 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.finished, "target");
  EXPECT_EQ(shell.trial(1).outcome, Outcome::stopped);
}

TEST(CoordinatorEnd, ComesAfterSoManyFailures) {
  StudySpec spec = small_study();
  spec.trials.max_failed = 2;
  Harness shell(spec);
  shell.join("t");

  for (int i = 0; i < 2; ++i) {
    const Assign at = shell.only_sent<Assign>();
    shell.done("t", at, 0, AttemptEnd::failed, FailureClass::user);
    shell.say("t", Ready{1});
  }

  EXPECT_EQ(shell.finished, "failures");
}

TEST(CoordinatorEnd, ComesWithTheWallTimeOfAllRunsTogether) {
  StudySpec spec = small_study();
  spec.stopping.trials.reset();
  spec.stopping.wall_time = Duration{60};
  Harness shell(spec);
  shell.join("t");
  shell.now += 40s;
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.5);
  EXPECT_FALSE(shell.finished.has_value());
  shell.now += 1h;  // nobody runs it in this time

  shell.restart();
  shell.join("u");
  shell.tick(19s);
  EXPECT_FALSE(shell.finished.has_value());
  for (const TrialId id : std::set<TrialId>(shell.state().running)) {
    EXPECT_EQ(shell.state().trials[id].attempt.n, 1u);
  }
  shell.tick(2s);

  ASSERT_TRUE(shell.has_sent<Decision>());
  EXPECT_EQ(shell.all_sent<Decision>().at(0).action, Action::stop);
}

TEST(CoordinatorEnd, ComesWhenTheSpaceIsExhausted) {
  StudySpec spec = small_study();
  spec.space = SearchSpace::make({Parameter{"n", Integer{1, 3, Scale::linear, 1}, {}, {}}}).value();
  spec.stopping.trials = 50;
  Harness shell(spec);
  shell.join("t");

  for (int i = 0; i < 3; ++i) shell.finish_trial("t", shell.only_sent<Assign>(), i);

  EXPECT_EQ(shell.finished, "exhausted");
  EXPECT_EQ(shell.state().trials.size(), 3u);
}

TEST(CoordinatorEnd, IsNotTheEndForALargerBudget) {
  StudySpec spec = small_study();
  spec.stopping.trials = 1;
  Harness shell(spec);
  shell.join("t");
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.5);
  ASSERT_EQ(shell.finished, "trials");
  const std::size_t events = shell.log().size();

  shell.restart();
  EXPECT_EQ(shell.finished, "trials") << "the same file again says so at once";
  EXPECT_EQ(shell.log().size(), events) << "and leaves the log as it is";

  spec.stopping.trials = 2;
  spec.document["stopping"]["trials"] = 2;
  shell.restart_with(spec);
  EXPECT_FALSE(shell.finished.has_value());
  EXPECT_EQ(shell.facts<DocumentChanged>().size(), 1u);
  shell.join("t");
  shell.finish_trial("t", shell.only_sent<Assign>(), 0.4);

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 2u);
}

TEST(CoordinatorEnd, ClosesPausedTrialsAsStopped) {
  StudySpec spec = stepped_study(9, "asha");
  spec.stopping.trials = 3;
  Harness shell(spec);
  shell.join("t");
  while (!shell.finished) {
    const Assign at = shell.only_sent<Assign>();
    shell.finish_trial("t", at, 1.0 + static_cast<double>(at.trial.n));
  }

  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(shell.trial(1).outcome, Outcome::stopped);
  EXPECT_EQ(shell.trial(2).outcome, Outcome::stopped);
}

}  // namespace
}  // namespace betatune
