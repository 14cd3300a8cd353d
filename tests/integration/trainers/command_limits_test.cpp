/// trials.limits.wall_time and silence end a command, and nothing of it stays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;

class CommandLimit : public ::testing::Test {
 protected:
  CommandLimit() { bench_.start(kTrainer, {"--grace", "0.2"}); }

  void expect_timeout(const Assign& made, const std::string& words) {
    const Done done = bench_.run(made);
    EXPECT_EQ(done.end, AttemptEnd::failed);
    ASSERT_TRUE(done.failure.has_value());
    EXPECT_STREQ(to_name(*done.failure), "timeout") << done.message;
    EXPECT_THAT(done.message, HasSubstr(words));
    EXPECT_TRUE(bench_.ends("sleep"));
    const Done next = bench_.run(bench_.script(1, "echo '{\"loss\": 1}'"));
    EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
  }

  TrainerBench bench_;
};

TEST_F(CommandLimit, WallTimeEndsACommandThatReports) {
  Assign made = bench_.script(0, "while :; do echo '{\"loss\": 1}'; sleep 0.05; done");
  made.until = 1'000'000;
  made.job.wall_time_ms = 300;

  expect_timeout(made, "limits.wall_time (0.3");
}

TEST_F(CommandLimit, WallTimeEndsACommandThatIgnoresSigterm) {
  Assign made = bench_.script(0, "trap '' TERM; while :; do sleep 0.05; done");
  made.job.wall_time_ms = 300;

  expect_timeout(made, "limits.wall_time");
}

TEST_F(CommandLimit, SilenceEndsACommandThatReportsNothing) {
  Assign made = bench_.script(0, "exec sleep 600");
  made.job.silence_ms = 300;

  expect_timeout(made, "limits.silence (0.3");
}

TEST_F(CommandLimit, SilenceEndsACommandThatStopsReporting) {
  Assign made = bench_.script(0, "echo '{\"loss\": 1}'; exec sleep 600");
  made.until = 9;
  made.job.silence_ms = 300;

  expect_timeout(made, "limits.silence");
}

TEST_F(CommandLimit, SilenceEndsACommandThatOnlyChatters) {
  Assign made = bench_.script(0, "while :; do echo still alive; sleep 0.05; done");
  made.job.silence_ms = 300;

  expect_timeout(made, "limits.silence");
}

}  // namespace
}  // namespace betatune::test
