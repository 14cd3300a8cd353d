/// Nothing that a command started outlives its attempt, however the attempt ends.

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

/// A child in the command's process group, and one that has left it for a session of its own.
constexpr const char* kFamily = "sleep 600 &\nsetsid sleep 600 &\n";
/// The processes above the command: its worker, and the fork server that made that one.
constexpr const char* kTellsPids =
    "cut -d ' ' -f 4 /proc/$PPID/stat > server; echo $PPID > worker; echo $$ > command\n";

class CommandFamily : public ::testing::Test {
 protected:
  CommandFamily() { bench_.start(kTrainer, {"--grace", "0.2"}); }

  Done run(const std::string& script, std::int64_t wall_time_ms = 0) {
    Assign made = bench_.script(0, kFamily + script);
    made.job.wall_time_ms = wall_time_ms;
    return bench_.run(made);
  }
  /// Returns when the family is there and waits, with its pids in files.
  void start_family() {
    Assign made = bench_.script(0, std::string(kFamily) + kTellsPids + "exec sleep 600");
    bench_.optimizer->assign(made);
    ASSERT_TRUE(bench_.appears("command"));
    ASSERT_TRUE(bench_.optimizer->serve_until([&] { return bench_.alive("sleep"); }));
  }
  void kill(const std::string& whose) {
    const pid_t pid = std::atoi(bench_.text(whose).c_str());
    ASSERT_GT(pid, 1) << whose;
    ::kill(pid, SIGKILL);
  }
  void expect_next_runs() {
    const Done next = bench_.run(bench_.script(1, "echo '{\"loss\": 1}'"));
    EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
  }
  const std::optional<Done>& done() { return bench_.optimizer->told(0).done; }

  TrainerBench bench_;
};

TEST_F(CommandFamily, EndsWithACommandThatReachesItsGoal) {
  EXPECT_EQ(run("echo '{\"loss\": 1}'").end, AttemptEnd::reached);

  EXPECT_TRUE(bench_.ends("sleep"));
}

TEST_F(CommandFamily, EndsWithACommandThatFails) {
  EXPECT_EQ(run("exit 1").end, AttemptEnd::failed);

  EXPECT_TRUE(bench_.ends("sleep"));
}

TEST_F(CommandFamily, EndsWithTheWallTime) {
  EXPECT_EQ(run("trap '' TERM; while :; do sleep 0.05; done", 300).failure, FailureClass::timeout);

  EXPECT_TRUE(bench_.ends("sleep"));
}

TEST_F(CommandFamily, EndsWithACommandThatIsKilled) {
  start_family();

  kill("command");

  ASSERT_TRUE(bench_.optimizer->serve_all());
  EXPECT_EQ(done()->failure, FailureClass::infra) << done()->message;
  EXPECT_TRUE(bench_.ends("sleep"));
  expect_next_runs();
}

TEST_F(CommandFamily, EndsWithAWorkerThatIsKilled) {
  start_family();

  kill("worker");

  ASSERT_TRUE(bench_.optimizer->serve_all());
  EXPECT_EQ(done()->failure, FailureClass::infra) << done()->message;
  EXPECT_TRUE(bench_.ends("sleep"));
  expect_next_runs();
}

TEST_F(CommandFamily, EndsWithAForkServerThatIsKilled) {
  start_family();

  kill("server");

  ASSERT_TRUE(bench_.optimizer->serve_all());
  EXPECT_EQ(done()->failure, FailureClass::infra) << done()->message;
  EXPECT_TRUE(bench_.ends("sleep"));
  expect_next_runs();
}

TEST_F(CommandFamily, EndsWithATrainerThatIsKilled) {
  start_family();

  bench_.trainer->signal(SIGKILL);

  EXPECT_TRUE(bench_.all_gone());
}

}  // namespace
}  // namespace betatune::test
