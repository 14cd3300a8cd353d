/// `betatune scaling`: trainings of gangs, measured as a user does it.

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;
using testing::Not;

/// A study of the plug-in whose ranks do as they are told (tests/support/plugins/gang.cpp).
class Scaling : public support::UserStudy {
 protected:
  void write_gang(const std::string& mode, const std::string& more = {}) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 3}\nobjective: {metric: loss}\n"
           "parameters:\n  mode: {value: "
        << mode
        << "}\n  rank: {type: int, min: 0, max: 9, default: 1}\n"
           "fidelity: {max: 9}\nstopping: {trials: 2}\n"
           "trainer: {plugin: "
        << BETATUNE_BINARY_DIR << "/tests/plugins/gang.so}\n"
        << more;
  }
};

TEST_F(Scaling, TrainsTheSameConfigurationOnEachNumberOfRanks) {
  write_gang("plain");

  const Json report = json(
      "betatune scaling study.yaml --widths 2,1,3 --share-cores --steps 5 --repeats 2 --set rank=7 "
      "--target 0.25 --json --plot picture.svg");

  EXPECT_EQ(report.at("schema"), "betatune.scaling/1");
  EXPECT_EQ(report.at("configuration"), (Json{{"mode", "plain"}, {"rank", 7}}));
  EXPECT_EQ(report.at("rate"), "steps_per_second");
  ASSERT_EQ(report.at("widths").size(), 3u);
  for (int ranks = 1; ranks <= 3; ++ranks) {
    const Json& width = report.at("widths").at(static_cast<std::size_t>(ranks - 1));
    EXPECT_EQ(width.at("ranks"), ranks);
    EXPECT_EQ(width.at("trainings"), 2);
    EXPECT_GT(width.at("rate"), 0);
    EXPECT_GT(width.at("seconds_to_target"), 0) << "the fourth step has 1/4";
    const std::string folder = width.at("folder");
    const Json trials = json("betatune trials " + folder + " --json").at("trials");
    ASSERT_EQ(trials.size(), 2u) << folder;
    EXPECT_EQ(trials[1].at("params"), report.at("configuration"));
    EXPECT_EQ(trials[1].at("step"), 5);
    EXPECT_EQ(exists("runs/demo-scaling/ranks-" + std::to_string(ranks) +
                     "/trials/0/attempt-1/log.rank-1"),
              ranks > 1);
  }
  EXPECT_THAT(support::file_text(folder_ / "picture.svg"), HasSubstr("</svg>"));
  EXPECT_FALSE(exists("runs/demo")) << "the study itself is not touched";
}

TEST_F(Scaling, ShowsATableAndDoesNotMeasureAgain) {
  write_gang("plain");
  const std::string command = "betatune scaling study.yaml --widths 1,2 --share-cores";

  const Ended first = type(command);
  const Ended second = type(command);

  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("ranks  epochs/s"));
  EXPECT_THAT(first.out, HasSubstr("fit: time per step"));
  EXPECT_THAT(first.out, HasSubstr("The first epoch of each training is a warm-up"));
  EXPECT_EQ(second.out, first.out) << "of the same trainings";
  EXPECT_EQ(type(command + " --fresh").status, 0);
  EXPECT_TRUE(exists("runs/demo-scaling/ranks-2.1/study.db")) << "the first measurement";
}

TEST_F(Scaling, SetsAMeasurementWithOtherSettingsAside) {
  write_gang("plain");
  ASSERT_EQ(type("betatune scaling study.yaml --widths 1").status, 0);

  const Json report = json("betatune scaling study.yaml --widths 1 --set rank=2 --steps 3 --json");

  EXPECT_EQ(report.at("configuration").at("rank"), 2);
  EXPECT_TRUE(exists("runs/demo-scaling/ranks-1.1/study.db"));
  const Json trials = json("betatune trials runs/demo-scaling/ranks-1 --json").at("trials");
  ASSERT_EQ(trials.size(), 1u);
  EXPECT_EQ(trials[0].at("step"), 3);
}

TEST_F(Scaling, TakesTheConfigurationOfATrial) {
  write_gang("plain");
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  const Json params = json("betatune show demo 1 --json").at("params");

  const Json report = json("betatune scaling study.yaml --widths 1 --trial 1 --json");

  EXPECT_EQ(report.at("configuration"), params);
  const Ended none = type("betatune scaling study.yaml --widths 1 --trial 9");
  EXPECT_EQ(none.status, 3);
  EXPECT_THAT(none.err, HasSubstr("--trial 9: the study in"));
}

TEST_F(Scaling, NamesTheRankThatFailedAndMeasuresThereAgain) {
  write_gang("fail", "resources: {rank_timeout: 2s, ranks: 2}\n");

  const Ended ended = type("betatune scaling study.yaml --widths 2 --share-cores");

  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("2 ranks: training 0 ended as oom"));
  EXPECT_THAT(ended.err, HasSubstr("rank 1"));
  EXPECT_THAT(ended.err, HasSubstr("betatune logs "));
  write_gang("plain", "resources: {rank_timeout: 2s, ranks: 2}\n");
  EXPECT_EQ(type("betatune scaling study.yaml --widths 2 --share-cores").status, 0);
}

TEST_F(Scaling, GoesOnWhereAnInterruptEndedIt) {
  write_gang("slow");
  const std::string command = "betatune scaling study.yaml --widths 1,2 --share-cores --steps 9";
  run_ = family_.start({"/bin/sh", "-c", support::as_typed(folder_.path(), "exec " + command)},
                       "run.txt");
  ASSERT_TRUE(support::eventually([&] {
    return exists("runs/demo-scaling/ranks-2/trials/0/attempt-1/log.rank-1");
  })) << said();

  ::kill(run_, SIGINT);

  const int status = wait();
  EXPECT_TRUE(family_.dies_out());
  const auto measured = [&](int ranks) {
    return json("betatune status runs/demo-scaling/ranks-" + std::to_string(ranks) + " --json")
        .at("trials");
  };
  EXPECT_EQ(measured(1).at("completed"), 1);
  // A training that was at its end anyway is no interrupted one.
  if (status != 0) {
    EXPECT_EQ(status, 75) << said();
    EXPECT_THAT(said(), HasSubstr("the same command goes on"));
  }
  const Ended again = type(command);
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_EQ(measured(1).at("total"), 1) << "not trained again";
  EXPECT_EQ(measured(2).at("completed"), 1);
  EXPECT_FALSE(exists("runs/demo-scaling/ranks-2.1"));
}

TEST_F(Scaling, RefusesWhatCannotBeMeasured) {
  write(1, support::kReports);
  const Ended command = type("betatune scaling study.yaml --widths 1,2");
  EXPECT_EQ(command.status, 3);
  EXPECT_THAT(command.err,
              HasSubstr("`trainer.command` has no ranks to measure: the command is one"));

  write_gang("plain");
  const std::vector<std::pair<const char*, const char*>> cases{
      {"--widths 1,1000", "at 1 CPU a rank this machine has room for "},
      {"--widths 0,1", "--widths: numbers of ranks are 1 to 1024"},
      {"--widths 1 --set lr=3", "`lr`"},
      {"--widths 1 --set rank=12", "`rank`"},
      {"--widths 1 --set rank", "--set rank: expected NAME=VALUE"},
      {"--widths 1 --steps 10", "--steps 10: `fidelity.max`"},
      {"--widths 1 --trial 0", "no study is here"}};
  for (const auto& [arguments, says] : cases) {
    const Ended ended = type(std::string("betatune scaling study.yaml ") + arguments);
    EXPECT_NE(ended.status, 0) << arguments;
    EXPECT_THAT(ended.err, HasSubstr(says)) << arguments;
  }
  EXPECT_FALSE(exists("runs/demo-scaling")) << "nothing was trained";
}

TEST_F(Scaling, OfOneStepCountsTheStart) {
  write_gang("plain");
  std::string text = support::file_text(folder_ / "study.yaml");
  text.erase(text.find("fidelity: {max: 9}\n"), 19);
  std::ofstream(folder_ / "study.yaml") << text;

  const Ended ended = type("betatune scaling study.yaml --widths 1");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("Trainings of one step only: the start"));
  EXPECT_THAT(ended.out, Not(HasSubstr("fit:")));
  EXPECT_THAT(type("betatune scaling study.yaml --widths 1 --steps 2").err,
              HasSubstr("without a `fidelity`"));
}

}  // namespace
}  // namespace betatune
