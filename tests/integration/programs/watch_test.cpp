/// `betatune watch`: a view on a terminal, lines elsewhere.

#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using support::Terminal;
using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Watch : public support::UserStudy {
 protected:
  /// Nine trials under asha on one trainer.
  void run_rungs() {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 4}\nobjective: {metric: loss}\n"
           "parameters: {x: {type: float, min: -5, max: 10}, y: {type: float, min: 0, max: 15}}\n"
           "fidelity: {name: epoch, max: 9}\nstopping: {trials: 9}\nlauncher: {trainers: 1}\n"
           "trainer: {plugin: branin, config: {steps: 9}}\n"
           "algorithm: {name: random, scheduler: asha}\n";
    ASSERT_EQ(type("betatune run study.yaml").status, 0);
  }
};

std::size_t lines_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  std::size_t found = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) ++found;
  }
  return found;
}

TEST_F(Watch, OfAStudyThatIsOverPrintsWhatHappenedAndEnds) {
  run_rungs();

  const Ended ended = type("betatune watch demo");

  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_THAT(ended.out, Not(HasSubstr("\033")));
  EXPECT_THAT(ended.out, ContainsRegex("^[0-9T:.-]+Z  study demo begun .seed 4."));
  EXPECT_THAT(ended.out, EndsWith("study closed: trials\n"));
  const Json rungs = json("betatune status demo --json").at("rungs");
  EXPECT_EQ(lines_with(ended.out, " went on from epoch 1 to 3: "), rungs[0].at("went_on"));
  EXPECT_EQ(lines_with(ended.out, " paused at epoch 1: "), 9u);
  EXPECT_THAT(ended.out, ContainsRegex("went on from epoch 1 to 3: 1st of 3, the best one goes on "
                                       ".loss = [0-9.]+ or better."));
  EXPECT_THAT(ended.out, HasSubstr("(new best)"));
}

TEST_F(Watch, AsJsonIsTheEventsOfTheLogAndTheDecisions) {
  run_rungs();

  const Ended ended = type("betatune watch demo --json");

  EXPECT_EQ(ended.status, 0);
  std::istringstream lines(ended.out);
  std::uint64_t events = 0;
  int went_on = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json json = Json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    if (json.at("schema") == "betatune.event/1") {
      EXPECT_EQ(json.at("seq"), ++events);
      continue;
    }
    EXPECT_EQ(json.at("schema"), "betatune.decision/1");
    EXPECT_EQ(json.at("seq"), events) << "behind its event";
    if (json.at("decision") != "went_on") continue;
    ++went_on;
    EXPECT_LE(json.at("place"), json.at("quota"));
    EXPECT_LE(json.at("value"), json.at("cut"));
  }
  EXPECT_EQ(events, json("betatune status demo --json").at("events"));
  EXPECT_GE(went_on, 3);
}

TEST_F(Watch, ChangesNothing) {
  run_rungs();
  const std::string before = support::file_text(folder_ / "runs/demo/study.db");

  ASSERT_EQ(type("betatune watch demo").status, 0);

  EXPECT_EQ(support::file_text(folder_ / "runs/demo/study.db"), before);
}

TEST_F(Watch, IsDrawnAgainUntilTheStudyEnds) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReportsAtGo);
  start();

  Terminal terminal(folder_.path(), "betatune watch study.yaml --interval 0.1");
  EXPECT_TRUE(terminal.shows("demo - running (process ")) << terminal.written();
  EXPECT_TRUE(terminal.shows("running     trial  ")) << terminal.written();
  EXPECT_TRUE(terminal.shows("\033[J\r\033[")) << "drawn over what was there";
  go();

  EXPECT_EQ(terminal.wait(), 0) << terminal.written();
  EXPECT_THAT(terminal.written(), HasSubstr("demo - finished (trials)"));
  EXPECT_THAT(terminal.written(), HasSubstr("trials      2 of 2: 2 completed"));
  EXPECT_EQ(wait(), 0) << said();
}

TEST_F(Watch, WaitsForAStudyThatHasNotBegun) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReportsAtGo);

  Terminal terminal(folder_.path(), "betatune watch study.yaml --interval 0.1");
  EXPECT_TRUE(terminal.shows("has not begun; `betatune run study.yaml` starts it"));
  start();
  go();

  EXPECT_EQ(terminal.wait(), 0) << terminal.written();
  EXPECT_THAT(terminal.written(), HasSubstr("demo - finished (trials)"));
  EXPECT_EQ(wait(), 0) << said();
}

TEST_F(Watch, GoesOnWithTheStudyThatTakesTheOthersPlace) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReportsAtGo);
  start();
  Terminal terminal(folder_.path(), "betatune watch study.yaml --interval 0.1");
  ASSERT_TRUE(terminal.shows("demo - running (process ")) << terminal.written();
  ::kill(run_, SIGKILL);
  ASSERT_EQ(wait(), -SIGKILL);
  ASSERT_TRUE(terminal.shows("demo - stopped; `betatune run study.yaml` goes on with it"));

  start("--fresh");
  ASSERT_TRUE(terminal.shows("demo - running (process ")) << terminal.written();
  go();

  EXPECT_EQ(terminal.wait(), 0) << terminal.written();
  EXPECT_EQ(wait(), 0) << said();
}

TEST_F(Watch, EndsAtControlC) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  write(2, support::kReportsAtGo);

  // Without a shell in between, which the key would end too.
  Terminal terminal(folder_.path(), "exec betatune watch study.yaml");
  ASSERT_TRUE(terminal.shows("has not begun"));
  terminal.press('\x03');

  EXPECT_EQ(terminal.wait(), 130);
}

TEST_F(Watch, IsNotHigherThanTheWindow) {
  if (const std::string why = Terminal::why_not(); !why.empty()) GTEST_SKIP() << why;
  run_rungs();

  Terminal terminal(folder_.path(), "LINES=5 betatune watch demo");

  EXPECT_EQ(terminal.wait(), 0);
  EXPECT_EQ(lines_with(terminal.written(), "\r"), 4u) << terminal.written();
  EXPECT_THAT(terminal.written(), HasSubstr("... (more"));
}

TEST_F(Watch, OfNoStudyIsAMistakeOfUse) {
  write(2, support::kReports);

  EXPECT_EQ(type("betatune watch nothing").status, 2);
  EXPECT_THAT(type("betatune watch nothing").err, StartsWith("error: `nothing` is neither"));
  EXPECT_EQ(type("betatune watch study.yaml --interval 0").status, 2);
}

}  // namespace
}  // namespace betatune
