/// What a command writes is its reports and its log; nothing that it writes can harm the study.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CommandOutput : public ::testing::Test {
 protected:
  CommandOutput() { bench_.start(kTrainer, {"--grace", "0.2"}); }

  Done run(const std::string& script, Step until = 1) {
    Assign made = bench_.script(0, script);
    made.until = until;
    return bench_.run(made);
  }
  /// Runs it and expects a failure of this class, with these words for people.
  void expect_failure(const std::string& script, FailureClass failure, const std::string& words) {
    const Done done = run(script);
    EXPECT_EQ(done.end, AttemptEnd::failed) << script;
    ASSERT_TRUE(done.failure.has_value()) << script;
    EXPECT_STREQ(to_name(*done.failure), to_name(failure)) << script << ": " << done.message;
    EXPECT_THAT(done.message, HasSubstr(words)) << script;
  }
  const Told& told() { return bench_.optimizer->told(0); }
  std::string log() const { return bench_.text("trials/0/attempt-1/log"); }

  TrainerBench bench_;
};

TEST_F(CommandOutput, GarbageIsLoggedAndChangesNothing) {
  const Done done =
      run("head -c 100000 /dev/urandom; echo\n"
          "echo '{'; echo '[1, 2]'; echo 'loss: 0.1'; echo '{\"note\": \"text\"}'; echo '{}'\n"
          "echo '{\"loss\": 0.5}'");

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().last("loss"), 0.5);
  EXPECT_THAT(log(), HasSubstr("loss: 0.1\n"));
  EXPECT_GT(log().size(), 100'000u);
}

TEST_F(CommandOutput, ALossThatIsNaNDiverges) {
  expect_failure("echo '{\"step\": 1, \"loss\": NaN}'", FailureClass::diverged, "not finite");
}

TEST_F(CommandOutput, ALossThatIsInfiniteDiverges) {
  expect_failure("echo '{\"loss\": -Infinity}'", FailureClass::diverged, "not finite");
}

TEST_F(CommandOutput, ACommandThatDivergedIsNotLeftToGoOn) {
  expect_failure("echo '{\"loss\": NaN}'; exec sleep 600", FailureClass::diverged, "not finite");
}

TEST_F(CommandOutput, ALossThatIsTextIsAUserFailureThatShowsTheText) {
  expect_failure("echo '{\"loss\": \"low\"}'", FailureClass::user, "`loss` is \"low\"");
}

TEST_F(CommandOutput, AStepThatIsNoStepIsAUserFailure) {
  expect_failure("echo '{\"step\": 0, \"loss\": 1}'", FailureClass::user, "expected 1, 2, 3");
}

TEST_F(CommandOutput, TooManyMetricsAreAUserFailure) {
  expect_failure(
      "printf '{\"loss\": 1'; i=0; while [ $i -lt 300 ]; do printf ', \"m%d\": 1' $i; i=$((i+1)); "
      "done; echo '}'",
      FailureClass::user, "at most 256");
}

TEST_F(CommandOutput, AnotherMetricThatIsNotFiniteIsNoFailure) {
  const Done done = run("echo '{\"loss\": 1, \"norm\": Infinity, \"accuracy\": NaN}'");

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

TEST_F(CommandOutput, ReportsWithoutStepsAreOneStepAfterAnother) {
  const Done done = run("for loss in 4 3 2; do echo \"{\\\"loss\\\": $loss}\"; done", 3);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_THAT(told().steps(), ElementsAre(1, 2, 3));
  EXPECT_EQ(told().last("loss"), 2);
}

TEST_F(CommandOutput, ALastLineWithoutItsNewlineCounts) {
  const Done done = run("printf '{\"loss\": 0.25}'");

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().last("loss"), 0.25);
}

TEST_F(CommandOutput, ReportsOfTheMetricsFileCountAndAreNotLogged) {
  const Done done =
      run("echo '{\"step\": 1, \"loss\": 3}' >> $BETATUNE_METRICS_FILE\n"
          "echo '{\"step\": 2, \"loss\": 2}' >> $BETATUNE_METRICS_FILE",
          2);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_THAT(told().steps(), ElementsAre(1, 2));
  EXPECT_EQ(log(), "");
}

TEST_F(CommandOutput, HugeOutputKeepsItsBeginningAndItsEndOnly) {
  const Done done =
      run("echo the beginning; head -c 20000000 /dev/zero | tr '\\0' 'x' | fold -w 1000; echo\n"
          "echo '{\"loss\": 1}'; echo the end");

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().last("loss"), 1);
  EXPECT_LT(log().size(), 5u << 20);
  EXPECT_EQ(log().rfind("the beginning\n", 0), 0u);
  EXPECT_THAT(log().substr(log().size() - 100), HasSubstr("the end\n"));
  EXPECT_THAT(log(), HasSubstr("bytes left out here"));
}

TEST_F(CommandOutput, ALineOfMegabytesIsNoReportAndTheNextOneIs) {
  const Done done = run(
      "printf '{\"loss\": 1, \"pad\": \"'; head -c 3000000 /dev/zero | tr '\\0' 'x'; echo '\"}'\n"
      "echo '{\"loss\": 2}'");

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().reports.size(), 1u);
  EXPECT_EQ(told().last("loss"), 2);
}

TEST_F(CommandOutput, ThousandsOfReportsAllArriveInOrder) {
  const Done done = run(
      "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo \"{\\\"step\\\": $i, \\\"loss\\\": $i}\"; "
      "done",
      5'000);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  ASSERT_EQ(told().reports.size(), 5'000u);
  EXPECT_EQ(done.final_seq, 5'000u);
  EXPECT_EQ(told().last("loss"), 5'000);
}

}  // namespace
}  // namespace betatune::test
