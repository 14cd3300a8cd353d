/// Stop and pause reach a command as SIGTERM to its process group; what it then writes and saves
/// still counts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::ElementsAre;

/// Reports step 1, then waits for a signal; a shell notices one only between its commands.
constexpr const char* kWaits =
    "echo '{\"step\": 1, \"loss\": 4}'\n"
    "while :; do sleep 0.01; done\n";

class CommandDecision : public ::testing::Test {
 protected:
  void start(const std::string& grace) { bench_.start(kTrainer, {"--grace", grace}); }

  /// Decides once the command has reported, and serves until its end.
  Done decide(const std::string& script, Action action) {
    Assign made = bench_.script(0, script);
    made.until = 9;
    bench_.optimizer->on_report = [this, action](const Report& report) {
      if (report.seq == 1) bench_.optimizer->decide(report.trial, report.attempt, action);
    };
    const Done done = bench_.run(made);
    bench_.optimizer->on_report = {};
    return done;
  }
  const Told& told() { return bench_.optimizer->told(0); }

  TrainerBench bench_;
};

TEST_F(CommandDecision, StopEndsACommandThatDoesNotHandleIt) {
  start("60");

  const Done done = decide(kWaits, Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
  EXPECT_EQ(done.step, 1);
}

TEST_F(CommandDecision, WhatACommandReportsWhileItStopsCounts) {
  start("60");

  const Done done = decide(
      std::string("trap 'echo \"{\\\"step\\\": 2, \\\"loss\\\": 3}\"; exit 0' TERM\n") + kWaits,
      Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
  EXPECT_EQ(done.step, 2);
  EXPECT_THAT(told().steps(), ElementsAre(1, 2));
  EXPECT_EQ(told().last("loss"), 3);
}

TEST_F(CommandDecision, AnExitCodeAfterStopIsNoFailure) {
  start("60");

  const Done done = decide(std::string("trap 'exit 3' TERM\n") + kWaits, Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
}

TEST_F(CommandDecision, StopEndsACommandThatIgnoresItAfterTheGrace) {
  start("0.2");

  const Done done = decide(std::string("trap '' TERM\n") + kWaits, Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
}

TEST_F(CommandDecision, StopEndsACommandThatIsSuspended) {
  start("60");

  const Done done = decide("echo '{\"step\": 1, \"loss\": 4}'; kill -STOP $$", Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
}

TEST_F(CommandDecision, StopEndsACommandThatNeverStopsPrintingReports) {
  start("60");

  const Done done = decide("while :; do echo '{\"loss\": 1}'; done", Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
}

TEST_F(CommandDecision, StopEndsACommandThatNeverStopsAppendingReports) {
  start("60");

  const Done done =
      decide("while :; do echo '{\"loss\": 1}' >> $BETATUNE_METRICS_FILE; done", Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
}

TEST_F(CommandDecision, PauseKeepsTheCheckpointThatTheCommandThenSaves) {
  start("60");

  const Done done = decide(
      std::string("trap 'echo at step 1 > $BETATUNE_CHECKPOINT_DIR/state; exit 0' TERM\n") + kWaits,
      Action::pause);

  EXPECT_EQ(done.end, AttemptEnd::paused) << done.message;
  EXPECT_EQ(done.step, 1);
  ASSERT_TRUE(told().checkpoint().has_value());
  EXPECT_EQ(told().checkpoint()->step, 1);
  EXPECT_EQ(bench_.text(told().checkpoint()->uri + "/state"), "at step 1\n");
}

TEST_F(CommandDecision, PauseKeepsWhatACommandThatDoesNotHandleItHadSaved) {
  start("60");

  const Done done = decide(
      std::string("echo at step 1 > $BETATUNE_CHECKPOINT_DIR/state\n") + kWaits, Action::pause);

  EXPECT_EQ(done.end, AttemptEnd::paused) << done.message;
  ASSERT_TRUE(told().checkpoint().has_value());
  EXPECT_EQ(bench_.text(told().checkpoint()->uri + "/state"), "at step 1\n");
}

TEST_F(CommandDecision, AResumedCommandGetsTheCheckpointOfThePausedOne) {
  start("60");
  decide(std::string("trap 'echo 42 > $BETATUNE_CHECKPOINT_DIR/state; exit 0' TERM\n") + kWaits,
         Action::pause);
  Assign second =
      bench_.script(0,
                    "test \"$BETATUNE_FROM $BETATUNE_UNTIL\" = '1 9' || exit 1\n"
                    "echo \"{\\\"step\\\": 9, \\\"loss\\\": $(cat $BETATUNE_RESUME_DIR/state)}\"");
  second.attempt = AttemptId{2};
  second.from = 1;
  second.until = 9;
  second.resume_from = told().checkpoint();

  const Done done = bench_.run(second);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(bench_.optimizer->told(0, 2).last("loss"), 42);
}

TEST_F(CommandDecision, PauseWithoutACheckpointStillPauses) {
  start("60");

  const Done done = decide(kWaits, Action::pause);

  EXPECT_EQ(done.end, AttemptEnd::paused) << done.message;
  EXPECT_EQ(told().checkpoint(), std::nullopt);
}

TEST_F(CommandDecision, StopLeavesNoCheckpoint) {
  start("60");

  const Done done =
      decide(std::string("echo state > $BETATUNE_CHECKPOINT_DIR/state\n") + kWaits, Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
  EXPECT_EQ(told().checkpoint(), std::nullopt);
}

TEST_F(CommandDecision, ACommandThatReachesItsGoalAllTheSameHasReachedIt) {
  start("60");

  const Done done = decide(
      std::string("trap 'echo \"{\\\"step\\\": 9, \\\"loss\\\": 1}\"; exit 0' TERM\n") + kWaits,
      Action::pause);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().last("loss"), 1);
}

}  // namespace
}  // namespace betatune::test
