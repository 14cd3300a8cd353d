/// What a restart, a drain or a trainer that leaves interrupts is gone on with.

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using test::stepped_study;
using namespace std::chrono_literals;

TEST(CoordinatorDrain, PausesWhatCanGoOnLaterAndStartsNothing) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report_saved("t", at, 1, 4);
  shell.sent.clear();

  shell.give(DrainRequest{"Ctrl-C"});
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::pause);
  shell.done("t", at, 1, AttemptEnd::paused);
  EXPECT_EQ(shell.finished, "drained");
  EXPECT_TRUE(shell.has_sent<Bye>());

  shell.restart();
  const Assign again = shell.begin("t");
  EXPECT_EQ(again.trial, at.trial);
  EXPECT_EQ(again.from, 4);
  EXPECT_EQ(again.until, 9);
}

TEST(CoordinatorDrain, LetsATrialFinishThatCannotGoOnLater) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");

  shell.give(DrainRequest{"Ctrl-C"});
  EXPECT_FALSE(shell.has_sent<Decision>());
  shell.finish_trial("t", at, 0.5);

  EXPECT_EQ(shell.finished, "drained");
  EXPECT_EQ(shell.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(shell.state().trials.size(), 1u);
}

TEST(CoordinatorCancel, InterruptsWithoutChargingARetry) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");

  shell.give(CancelRequest{});

  EXPECT_EQ(shell.finished, "cancelled");
  EXPECT_TRUE(shell.trial(0).failures.empty());
  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_FALSE(shell.all_sent<Bye>().at(0).drain);
  shell.restart();
  shell.join("t");
  EXPECT_EQ(shell.only_sent<Assign>().trial, at.trial);
}

TEST(CoordinatorRestart, LetsTrainersGoOnWithWhatTheyHold) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.5);
  shell.restart();

  shell.report("t", at, 2, 2, 0.4);
  EXPECT_EQ(shell.only_sent<Refusal>().code, "not_welcome");
  shell.join("t", 1, {Held{at.trial, at.attempt, 2, 2}});
  const Welcome welcome = shell.all_sent<Welcome>().at(0);
  ASSERT_EQ(welcome.keep.size(), 1u);
  EXPECT_EQ(welcome.keep[0].last_seq, 1u);
  shell.report("t", at, 2, 2, 0.4);

  EXPECT_EQ(shell.trial(0).last_seq, 2u);
  EXPECT_EQ(shell.trial(0).attempt.n, 1u);
}

TEST(CoordinatorRestart, WaitsOneLeaseForTrainersToComeBack) {
  Harness shell(small_study());
  shell.join("gone");
  shell.restart();

  shell.tick(29s);
  EXPECT_EQ(shell.trial(0).state, TrialState::running);
  shell.tick(2s);

  EXPECT_EQ(shell.trial(0).state, TrialState::created);
  EXPECT_TRUE(shell.trial(0).failures.empty())
      << "the optimizer's restart is not the trial's fault";
}

TEST(CoordinatorRestart, WaitsForNobodyWhereTheShellKnowsThatNoneHasSurvived) {
  Harness shell(small_study());
  shell.join("gone");
  CoordinatorOptions options;
  options.rejoin_grace = 0s;
  shell.restart(options);

  shell.tick();

  EXPECT_EQ(shell.trial(0).state, TrialState::created);
}

TEST(CoordinatorRestart, DrawsTheSameTrialsAsARunThatWasNotInterrupted) {
  for (const char* searcher : {"random", "sobol"}) {
    StudySpec spec = small_study();
    spec.algorithm.searcher.name = searcher;
    spec.stopping.trials = 70;
    const auto run = [&](bool restarts) {
      Harness shell(spec);
      for (int i = 0; i < 70; ++i) {
        if (restarts && i % 7 == 3) {
          shell.restart();
        }
        shell.join("t");
        shell.finish_trial("t", shell.all_sent<Assign>().back(), i);
        // The READY above has begun the next trial: with a restart it is gone on with.
      }
      std::vector<Configuration> drawn;
      for (const TrialCreated& each : shell.facts<TrialCreated>()) {
        drawn.push_back(each.configuration);
      }
      return drawn;
    };

    EXPECT_EQ(run(true), run(false)) << searcher;
  }
}

TEST(CoordinatorBye, LetsATrainerFinishOrTakesItsWorkBack) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");

  shell.say("t", Bye{"node is drained", true});
  shell.finish_trial("t", at, 0.5);
  EXPECT_FALSE(shell.has_sent<Assign>()) << "it takes no more";

  shell.join("u");
  ASSERT_TRUE(shell.has_sent<Assign>());
  shell.say("u", Bye{"preempted", false});
  EXPECT_EQ(shell.trial(1).state, TrialState::created);
  EXPECT_TRUE(shell.trial(1).failures.empty());
}

TEST(CoordinatorRestart, LosesAtOnceOnlyWhatItsOwnTrainersHeld) {
  StudySpec spec = small_study();
  spec.server.lease = Duration{30};
  Harness shell(spec);
  shell.join("local-0");
  shell.join("elsewhere");
  CoordinatorOptions options;
  options.launched_before = "local-";

  shell.restart(options);
  shell.tick(std::chrono::seconds(1));

  EXPECT_EQ(shell.trial(0).state, TrialState::created) << "its trainer died with the optimizer";
  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  EXPECT_EQ(shell.trial(1).state, TrialState::running) << "its trainer may come back";
  shell.join("elsewhere", 1, {Held{TrialId{1}, AttemptId{1}, 0, 0}});
  EXPECT_EQ(shell.trial(1).attempt, AttemptId{1});
}

}  // namespace
}  // namespace betatune
