#include "optimizer/coordinator.hpp"

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using test::stepped_study;

TEST(Coordinator, BeginsALogWithTheStudyAndItsEpoch) {
  Harness shell(small_study());

  ASSERT_EQ(shell.log().size(), 2u);
  EXPECT_EQ(shell.facts<StudyCreated>().at(0).seed, 7u);
  EXPECT_EQ(shell.facts<OptimizerStarted>().at(0).epoch, 1u);
}

TEST(Coordinator, RunsExactlyTheTrialsAskedForAndCloses) {
  Harness shell(small_study());
  shell.join("t");

  for (int i = 0; i < 4; ++i) {
    const Assign assign = shell.only_sent<Assign>();
    EXPECT_EQ(assign.trial.n, static_cast<std::uint64_t>(i));
    shell.finish_trial("t", assign, 1.0 - i);
  }

  EXPECT_EQ(shell.finished, "trials");
  EXPECT_EQ(shell.state().trials.size(), 4u);
  EXPECT_EQ(shell.state().closed_count(), 4);
  EXPECT_EQ(shell.state().best, TrialId{3});
  EXPECT_TRUE(shell.has_sent<Bye>());
  EXPECT_EQ(state_hash(shell.folded()), state_hash(shell.state()));
}

TEST(Coordinator, NeverRunsMoreThanTheSlotsOrTheParallelLimit) {
  StudySpec spec = small_study();
  spec.stopping.trials = 100;
  spec.trials.parallel = 3;
  Harness shell(spec);

  shell.join("a", 2);
  EXPECT_EQ(shell.state().running.size(), 2u);
  shell.join("b", 2);
  EXPECT_EQ(shell.state().running.size(), 3u);
  // A READY that the trainer sent before its ASSIGNs arrived offers slots that are taken.
  shell.say("a", Ready{2});
  EXPECT_EQ(shell.state().running.size(), 3u);
}

TEST(Coordinator, AcknowledgesARepeatedReportWithoutCountingItTwice) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");
  shell.report("t", assign, 1, 1, 0.5);
  shell.sent.clear();

  shell.report("t", assign, 1, 1, 0.5);

  EXPECT_EQ(shell.only_sent<Ack>().seq, 1u);
  EXPECT_EQ(shell.facts<Reported>().size(), 1u);
}

TEST(Coordinator, KeepsBothContentsOfAReportAndGivesUpTheAttempt) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");
  shell.report("t", assign, 1, 1, 0.5);

  shell.report("t", assign, 1, 1, 0.6);

  EXPECT_EQ(shell.all_sent<Refusal>().at(0).code, "conflict");
  EXPECT_EQ(shell.facts<Reported>().at(0).loss, 0.5);
  EXPECT_EQ(shell.facts<ReportConflicted>().at(0).report.loss, 0.6);
  EXPECT_EQ(shell.trial(0).loss, 0.5) << "the first one counts";
  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  EXPECT_EQ(shell.trial(0).failures.at(FailureClass::infra), 1);
  EXPECT_EQ(state_hash(shell.folded()), state_hash(shell.state()));
}

TEST(Coordinator, TriesATrialAgainWhoseReportsConflict) {
  Harness shell(small_study());
  const Assign first = shell.begin("t");
  shell.report("t", first, 1, 1, 0.5);
  shell.report("t", first, 1, 1, 0.6);
  shell.sent.clear();

  shell.say("t", Ready{1});

  const Assign second = shell.only_sent<Assign>();
  EXPECT_EQ(second.trial, first.trial);
  EXPECT_EQ(second.attempt.n, 2u);
  shell.report("t", first, 2, 2, 0.4);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "stale_attempt");
}

TEST(Coordinator, SeesAConflictWithWhatWasReportedBeforeARestart) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");
  shell.report("t", assign, 1, 1, 0.5);
  shell.restart();
  shell.join("t", 1, {Held{assign.trial, assign.attempt, 1, 1}});

  shell.report("t", assign, 1, 1, 0.6);

  EXPECT_EQ(shell.all_sent<Refusal>().at(0).code, "conflict");
  EXPECT_EQ(shell.facts<ReportConflicted>().size(), 1u);
}

TEST(Coordinator, AcknowledgesNothingBeyondAGap) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");

  shell.report("t", assign, 2, 1, 0.5);

  EXPECT_EQ(shell.only_sent<Ack>().seq, 0u);
  EXPECT_TRUE(shell.facts<Reported>().empty());
}

TEST(Coordinator, RefusesDoneWhileAReportIsMissing) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");
  shell.report("t", assign, 1, 1, 0.5);
  shell.sent.clear();

  shell.done("t", assign, 2);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "missing_reports");
  EXPECT_EQ(shell.trial(0).state, TrialState::running);

  shell.report("t", assign, 2, 1, 0.4);
  shell.done("t", assign, 2);
  EXPECT_TRUE(shell.all_sent<Ack>().back().done);
  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
}

TEST(Coordinator, AcknowledgesARepeatedDone) {
  Harness shell(small_study());
  const Assign assign = shell.begin("t");
  shell.report("t", assign, 1, 1, 0.5);
  shell.done("t", assign, 1);
  const std::size_t events = shell.log().size();
  shell.sent.clear();

  shell.done("t", assign, 1);

  const Ack ack = shell.only_sent<Ack>();
  EXPECT_TRUE(ack.done);
  EXPECT_EQ(ack.seq, 1u);
  EXPECT_EQ(shell.log().size(), events);
}

TEST(Coordinator, FencesWorkOfAnAttemptThatWasLost) {
  Harness shell(small_study());
  const Assign first = shell.begin("old");
  shell.join("new");
  shell.tick(std::chrono::seconds(31));  // one second more than the lease
  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  shell.join("new");
  ASSERT_TRUE(shell.has_sent<Assign>());
  shell.sent.clear();

  shell.report("old", first, 1, 1, 0.5);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "not_welcome");
  shell.join("old", 1, {Held{first.trial, first.attempt, 1, 1}});
  EXPECT_EQ(shell.all_sent<Welcome>().at(0).drop.size(), 1u);
  shell.sent.clear();
  shell.report("old", first, 1, 1, 0.5);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "stale_attempt");
  EXPECT_TRUE(shell.facts<Reported>().empty());
}

}  // namespace
}  // namespace betatune
