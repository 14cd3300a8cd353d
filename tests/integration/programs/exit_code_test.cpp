/// The exit codes of `betatune run`, which are public, and whether what it says then tells a person
/// what to do.

#include <csignal>
#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using testing::HasSubstr;
using testing::Not;

using ExitCode = support::UserStudy;

TEST_F(ExitCode, IsZeroWhenTheBudgetIsReachedAndAgainWhenTheStudyIsFinished) {
  write(3, support::kReports);

  const Ended first = type("betatune run study.yaml");
  const Ended second = type("betatune run study.yaml");

  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("3 of 3 trials done"));
  EXPECT_THAT(first.out, HasSubstr("best: trial "));
  EXPECT_THAT(first.out, HasSubstr("raise `stopping:` in the file, then betatune run study.yaml"));
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("this study is finished: its 3 trials are done"));
}

TEST_F(ExitCode, IsZeroWhenTheTargetIsReached) {
  write(1'000, support::kReports);
  const std::string yaml = support::file_text(folder_ / "study.yaml");
  const std::string plain = "{metric: loss}";
  std::ofstream(folder_ / "study.yaml")
      << std::string(yaml).replace(yaml.find(plain), plain.size(), "{metric: loss, target: 0.9}");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("study closed: target"));
}

TEST_F(ExitCode, IsZeroWhenNothingMoreIsExpectedAndALowerPriceGoesOn) {
  write(1, support::kReports);
  const auto study = [this](const char* below) {
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: demo, seed: 1}\nobjective: {metric: loss}\n"
           "parameters:\n  x: {type: float, min: 0, max: 1}\n"
           "launcher: {trainers: 1}\ntrainer: {command: [sh, train.sh]}\n"
           "stopping: {trials: 40, no_gain: {below: "
        << below << ", trials: 3}}\n";
  };
  study("0.5");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("study closed: no_gain"));
  EXPECT_THAT(ended.out,
              HasSubstr("lower `stopping.no_gain.below` in the file, then betatune run"));
  const int before = json("betatune status demo --json").at("trials").at("total");
  EXPECT_LT(before, 20);
  study("1e-9");
  EXPECT_EQ(type("betatune run study.yaml").status, 0);
  EXPECT_GT(json("betatune status demo --json").at("trials").at("total"), before);
}

TEST_F(ExitCode, IsOneAboveTheFailureLimit) {
  write(10, "echo 'no such data set' >&2; exit 1\n", "trials: {max_failed: 2}\n");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("trials.max_failed"));
  EXPECT_THAT(ended.err, HasSubstr("betatune trials study.yaml --state failed"));
  EXPECT_THAT(ended.out, Not(HasSubstr("raise `stopping:`")));
  // What it says can be done: look, and go on.
  EXPECT_THAT(type("betatune trials study.yaml --state failed").out, HasSubstr("failed"));
  EXPECT_EQ(type("betatune run study.yaml").status, 1);
  write(3, support::kReports, "trials: {max_failed: 3}\n");
  const Ended repaired = type("betatune run study.yaml --accept-changes");
  EXPECT_EQ(repaired.status, 0) << repaired.err;
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("completed"), 1);
}

TEST_F(ExitCode, IsOneWhenEveryTrialFailed) {
  write(2, "exit 1\n");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("every trial failed"));
  EXPECT_THAT(ended.err, HasSubstr("betatune trials study.yaml --state failed"));
  EXPECT_EQ(type("betatune run study.yaml").status, 1) << "it has not become better";
}

TEST_F(ExitCode, IsTwoForWrongUsage) {
  write(1, support::kReports);
  for (const char* wrong : {"run", "run study.yaml --no-such-option", "run study.yaml -j many",
                            "run study.yaml another.yaml", "rnu study.yaml"}) {
    const Ended ended = type(std::string("betatune ") + wrong);

    EXPECT_EQ(ended.status, 2) << wrong;
    EXPECT_THAT(ended.err, HasSubstr("--help")) << wrong;
  }
  EXPECT_FALSE(exists("runs"));
}

TEST_F(ExitCode, IsThreeForAStudyFileThatIsNotValid) {
  write(1, support::kReports, "stoping: {trials: 1}\n");

  const Ended ended = type("betatune run study.yaml");
  const Ended missing = type("betatune run no-such-file.yaml");

  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, HasSubstr("study.yaml:10:1"));
  EXPECT_THAT(ended.err, HasSubstr("did you mean `stopping`?"));
  EXPECT_EQ(missing.status, 3);
  EXPECT_THAT(missing.err, HasSubstr("no-such-file.yaml"));
  EXPECT_FALSE(exists("runs"));
}

TEST_F(ExitCode, IsFourWhileAnotherOptimizerWorksWhichIsNotDisturbed) {
  write(2, support::kReportsAtGo);
  start();

  const Ended second = type("betatune run study.yaml");
  const Ended fresh = type("betatune run study.yaml --fresh");
  go();

  EXPECT_EQ(second.status, 4) << second.err;
  EXPECT_THAT(second.err, HasSubstr("process " + std::to_string(run_)));
  EXPECT_THAT(second.err, HasSubstr("betatune status"));
  EXPECT_EQ(fresh.status, 4) << fresh.err;
  EXPECT_THAT(fresh.err, HasSubstr("stop it first"));
  EXPECT_EQ(wait(), 0) << said();
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("completed"), 2);
}

TEST_F(ExitCode, IsFiveForAStoreThatIsNone) {
  write(1, support::kReports);
  fs::create_directories(folder_ / "runs/demo");
  std::ofstream(folder_ / "runs/demo/study.db") << std::string(4'096, 'x');

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 5) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("runs/demo/study.db"));
  EXPECT_THAT(ended.err, HasSubstr("move it away or give another storage.path"));
  EXPECT_EQ(support::file_text(folder_ / "runs/demo/study.db"), std::string(4'096, 'x'));
}

TEST_F(ExitCode, IsSixWhenNoTrainerCouldStartWhoseLogIsShown) {
  write(1, support::kReports);
  // Beside this betatune is a trainer that does not work here.
  fs::create_directories(folder_ / "bin");
  fs::copy_file(BETATUNE_BINARY_DIR "/bin/betatune", folder_ / "bin/betatune");
  std::ofstream(folder_ / "bin/betatune-trainer")
      << "#!/bin/sh\necho 'libzmq.so.5: cannot open shared object file' >&2; exit 127\n";
  fs::permissions(folder_ / "bin/betatune-trainer", fs::perms::owner_all);

  const Ended ended = type("bin/betatune run study.yaml");

  EXPECT_EQ(ended.status, 6) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("no trainer could start"));
  EXPECT_THAT(ended.err, HasSubstr("runs/demo/logs/local-0.log"));
  EXPECT_THAT(ended.err, HasSubstr("libzmq.so.5: cannot open"));
  EXPECT_THAT(ended.out, HasSubstr("continue: betatune run study.yaml"));
}

TEST_F(ExitCode, IsSixWhenTheTrainerIsNotInstalled) {
  write(1, support::kReports);
  fs::create_directories(folder_ / "bin");
  fs::copy_file(BETATUNE_BINARY_DIR "/bin/betatune", folder_ / "bin/betatune");

  const Ended ended = type("PATH=/usr/bin:/bin; bin/betatune run study.yaml");

  EXPECT_EQ(ended.status, 6) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("install both programs"));
}

TEST_F(ExitCode, IsEightAtTheTimeLimitAndALargerOneGoesOn) {
  write(1, support::kReportsAtGo);
  write_yaml("stopping: {wall_time: 1s, trials: 3}\n");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 8) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("study closed: wall_time"));
  EXPECT_THAT(ended.out, HasSubstr("raise `stopping:` in the file, then betatune run study.yaml"));
  EXPECT_EQ(type("betatune run study.yaml").status, 8) << "nothing is left of its time";
  go();
  write_yaml("stopping: {wall_time: 10m, trials: 3}\n");
  const Ended longer = type("betatune run study.yaml");
  EXPECT_EQ(longer.status, 0) << longer.err;
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("total"), 3);
}

TEST_F(ExitCode, IsEightWhenItsTrainersHoursAreUsedAndMoreOfThemGoOn) {
  write(1, support::kReportsAtGo);
  write_yaml("stopping: {trainer_hours: 0.0003, trials: 3}\n");

  const Ended ended = type("betatune run study.yaml");

  EXPECT_EQ(ended.status, 8) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("study closed: trainer_hours"));
  EXPECT_THAT(ended.out, HasSubstr("raise `stopping:` in the file, then betatune run study.yaml"));
  EXPECT_EQ(type("betatune run study.yaml").status, 8) << "nothing is left of them";
  EXPECT_THAT(type("betatune status demo").out, HasSubstr("of 0.0003 trainer-hours"));
  const double used = json("betatune status demo --json").at("used").at("trainer_hours");
  EXPECT_GE(used, 0.0003);
  EXPECT_DOUBLE_EQ(used * 3600,
                   json("betatune cost demo --json").at("total").at("seconds").get<double>());
  go();
  write_yaml("stopping: {trainer_hours: 1, trials: 3}\n");
  const Ended longer = type("betatune run study.yaml");
  EXPECT_EQ(longer.status, 0) << longer.err;
  EXPECT_EQ(json("betatune status demo --json").at("trials").at("total"), 3);
}

}  // namespace
}  // namespace betatune
