/// Ctrl-C once drains, twice stops, and either way the same command goes on with the study.

#include <csignal>
#include <gmock/gmock.h>

#include "optimizer/store.hpp"
#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;

class Interrupt : public support::UserStudy {
 protected:
  void expect_continues_to_three() {
    EXPECT_TRUE(family_.dies_out());
    go();
    const Ended again = type("betatune run study.yaml");
    EXPECT_EQ(again.status, 0) << again.err;
    const Json status = json("betatune status demo --json");
    EXPECT_EQ(status.at("trials").at("total"), 3);
    EXPECT_EQ(status.at("trials").at("completed"), 3);
  }
};

TEST_F(Interrupt, OnceFinishesWhatRunsAndEndsWithSeventyFive) {
  for (const int signal : {SIGINT, SIGTERM}) {
    write(3, support::kReportsAtGo, "storage: {path: study-" + std::to_string(signal) + "}\n");
    std::filesystem::remove(folder_ / "go");
    start();

    ::kill(run_, signal);
    EXPECT_TRUE(says("interrupt again to stop at once")) << said();
    go();

    EXPECT_EQ(wait(), 75) << said();
    EXPECT_THAT(said(), HasSubstr("continue: betatune run study.yaml"));
    const Json status = json("betatune status study.yaml --json");
    EXPECT_EQ(status.at("state"), "stopped");
    EXPECT_EQ(status.at("trials").at("completed"), 1);
  }
}

TEST_F(Interrupt, OnceSavesWhatCanBeResumedAndTheNextRunResumesIt) {
  write(1,
        "trap 'echo 1 > $BETATUNE_CHECKPOINT_DIR/state; exit 0' TERM\n"
        "if [ -n \"$BETATUNE_RESUME_DIR\" ]; then\n"
        "  echo \"{\\\"step\\\": 2, \\\"loss\\\": $(cat $BETATUNE_RESUME_DIR/state)}\"; exit 0\n"
        "fi\n"
        "echo '{\"step\": 1, \"loss\": 9}'; echo yes > started; while :; do sleep 0.02; done\n",
        "fidelity: {max: 2}\n");
  start();

  ::kill(run_, SIGINT);

  EXPECT_EQ(wait(), 75) << said();
  const Ended again = type("betatune run study.yaml");
  EXPECT_EQ(again.status, 0) << again.err;
  const Json best = json("betatune best demo --json").at("best");
  EXPECT_EQ(best.at("loss"), 1);
  EXPECT_EQ(best.at("step"), 2);
}

TEST_F(Interrupt, StopIsTheSameAsOneInterrupt) {
  write(3, support::kReportsAtGo);
  start();

  EXPECT_EQ(type("betatune stop demo").status, 0);
  const auto store = open_sqlite_store(folder_ / "runs/demo", OpenMode::read_only);
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(support::eventually([&] { return store.value()->requests().value().empty(); }));
  go();

  EXPECT_EQ(wait(), 75) << said();
  expect_continues_to_three();
}

TEST_F(Interrupt, TwiceStopsAtOnceAndCostsNoRetry) {
  write(3, std::string("trap '' TERM\n") + support::kReportsAtGo, "trials: {retry: {infra: 0}}\n");
  start();

  ::kill(run_, SIGINT);
  EXPECT_TRUE(says("interrupt again to stop at once")) << said();
  ::kill(run_, SIGINT);

  EXPECT_EQ(wait(), 130) << said();
  EXPECT_THAT(said(), HasSubstr("continue: betatune run study.yaml"));
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("failed"), 0);
  expect_continues_to_three();
}

TEST_F(Interrupt, TheGraceEndsWhatDoesNotFinish) {
  write(3, std::string("trap '' TERM\n") + support::kReportsAtGo);
  start("--grace 0");

  ::kill(run_, SIGTERM);

  EXPECT_EQ(wait(), 130) << said();
  EXPECT_THAT(said(), HasSubstr("the grace time is over"));
  expect_continues_to_three();
}

TEST_F(Interrupt, AKeyOfTheTerminalReachesTheOptimizerAndNotItsTrainers) {
  if (const std::string why = support::Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReportsAtGo);
  support::Terminal terminal(folder_.path(), "exec betatune run study.yaml");
  ASSERT_TRUE(support::eventually([&] { return exists("started"); })) << terminal.written();

  terminal.press('\x03');
  EXPECT_TRUE(terminal.shows("interrupt again to stop at once")) << terminal.written();
  go();

  EXPECT_EQ(terminal.wait(), 75) << terminal.written();
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("completed"), 1);
}

}  // namespace
}  // namespace betatune
