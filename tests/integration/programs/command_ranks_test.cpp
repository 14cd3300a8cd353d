/// Studies whose every trial is a command of several processes, as a user runs them: the ready
/// study (configs/command-ranks.yaml) at a small scale.

#include <algorithm>
#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <random>
#include <thread>

#include "tests/support/ready_study.hpp"
#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using support::replaced;
using testing::HasSubstr;
using testing::Not;

const fs::path kSource = BETATUNE_SOURCE_DIR;

class CommandRankStudies : public support::UserStudy {
 protected:
  /// The ready study with fewer trials and epochs.
  static std::string small(int trials) {
    std::string text = support::file_text(kSource / "configs/command-ranks.yaml");
    text = replaced(text, "[.][.]/examples", (kSource / "examples").string());
    text = replaced(text, "name: command-ranks", "name: demo");
    text = replaced(text, "trials: 20", "trials: " + std::to_string(trials));
    return replaced(text, "max: 9, resumable", "max: 3, resumable");
  }
  void write_text(const std::string& text) { std::ofstream(folder_ / "study.yaml") << text; }

  void expect_exact_budget(std::size_t trials) {
    const Json table = json("betatune trials demo --json").at("trials");
    EXPECT_EQ(table.size(), trials);
    for (const Json& trial : table) {
      EXPECT_TRUE(trial.at("outcome") == "completed" || trial.at("outcome") == "stopped") << trial;
    }
    EXPECT_EQ(type("betatune replay demo --verify").status, 0);
  }
  /// The processes of the trials that run.
  std::vector<pid_t> ranks() const {
    std::vector<pid_t> found;
    for (const support::MarkedProcess& each : family_.alive()) {
      const std::string script = (kSource / "examples/command-ranks/train.py").string();
      if (each.arguments.size() > 1 && each.arguments[1] == script) found.push_back(each.pid);
    }
    std::sort(found.begin(), found.end());
    return found;
  }
};

TEST_F(CommandRankStudies, TrainAndGoOnFromCheckpoints) {
  write_text(small(6));

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_exact_budget(6);
  EXPECT_THAT(type("betatune logs demo 0").out, HasSubstr("rank 0 of 2 has 200 samples"));
  EXPECT_THAT(type("betatune logs demo 0 --rank 1").out, HasSubstr("rank 1 of 2 has 200 samples"));
  EXPECT_LT(json("betatune best demo --json").at("best").at("metrics").at("loss"), 0.6)
      << "guessing has log 2";
}

/// kill -9 of ranks, again and again: each costs its attempt, and the study ends as it should.
TEST_F(CommandRankStudies, EndWithTheExactBudgetWhateverRankIsKilled) {
  std::string text = replaced(small(5), "max_failed: 5", "max_failed: 5\n  retry: {infra: 1000}");
  text = replaced(text, "max: 3, resumable", "max: 27, resumable");
  write_text(replaced(text, ", elastic: .min: 1.", ""));
  run_ = family_.start(
      {"/bin/sh", "-c", support::as_typed(folder_.path(), "exec betatune run study.yaml")},
      "run.txt");

  constexpr std::size_t kKills = 10;
  std::mt19937 random(11);
  std::vector<pid_t> killed;
  while (killed.size() < kKills) {
    std::vector<pid_t> there;
    const auto fresh = [&] {
      there = ranks();
      return there.size() == 2 && std::find(killed.begin(), killed.end(), there[0]) == killed.end();
    };
    ASSERT_TRUE(support::eventually(fresh)) << said();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    ::kill(there[random() % 2], SIGKILL);
    killed.push_back(there[0]);
  }

  EXPECT_EQ(wait(), 0) << said();
  expect_exact_budget(5);
  const Json table = json("betatune trials demo --json").at("trials");
  std::size_t attempts = 0;
  for (const Json& trial : table) attempts += trial.at("attempts").get<std::size_t>();
  EXPECT_GT(attempts, table.size());
}

/// Each loss of a rank leaves one fewer to the next attempt.
TEST_F(CommandRankStudies, AreElastic) {
  write_text(replaced(small(1), "command: .python3, [^\"]*\"",
                      "command: [sh, " + (folder_.path() / "train.sh").string() + ", \""));
  std::ofstream(folder_ / "train.sh")
      << "echo attempt $BETATUNE_ATTEMPT has $WORLD_SIZE\n"
         "[ $WORLD_SIZE = 2 ] && [ $RANK = 1 ] && kill -KILL $$\n"
         "[ $WORLD_SIZE = 2 ] && sleep 60\n"
         "echo \"{\\\"step\\\": $BETATUNE_UNTIL, \\\"loss\\\": 1}\"\n";

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(type("betatune logs demo 0 --attempt 2").out, HasSubstr("attempt 2 has 1"));
  EXPECT_THAT(type("betatune show demo 0").out, HasSubstr("rank 1 of the command was ended by"));
}

/// A rank that is told to stop tells the others, and all leave behind the same epoch.
TEST_F(CommandRankStudies, AreStoppedByTheScheduler) {
  std::string text =
      replaced(small(8), "scheduler: .name: asha.", "scheduler: {name: asha, mode: stop}");
  text = replaced(text, "max: 3, resumable", "max: 27, resumable");
  write_text(text);

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_exact_budget(8);
  int stopped = 0;
  const Json table = json("betatune trials demo --json").at("trials");
  for (const Json& trial : table) {
    stopped += trial.at("outcome") == "stopped" ? 1 : 0;
    const std::string id = std::to_string(trial.at("id").get<int>());
    EXPECT_THAT(type("betatune logs demo " + id + " --rank 1").out, Not(HasSubstr("Error"))) << id;
  }
  EXPECT_GT(stopped, 0);
}

TEST_F(CommandRankStudies, AreMeasuredByBetatuneScaling) {
  write_text(small(2));

  const Json report = json("betatune scaling study.yaml --widths 1,2 --share-cores --json");

  ASSERT_EQ(report.at("widths").size(), 2u);
  const auto loss = [&](const Json& width) {
    const std::string folder = width.at("folder");
    return json("betatune best " + folder + " --json")
        .at("best")
        .at("metrics")
        .at("loss")
        .get<double>();
  };
  EXPECT_NEAR(loss(report.at("widths").at(0)), loss(report.at("widths").at(1)), 1e-9)
      << "the same training, but for rounding";
  EXPECT_GT(report.at("widths").at(1).at("rate"), 0);
}

TEST_F(CommandRankStudies, MayHaveWidthsByRung) {
  std::string text = replaced(small(6), "ranks: 2, rank_timeout: 30s, elastic: .min: 1.",
                              "ranks: {choices: [1, 2]}, rank_timeout: 30s");
  write_text(replaced(text, "max_failed: 5", "max_failed: 5\n  parallel: 1"));
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "two slots need two cores";

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  expect_exact_budget(6);
  int wide = 0;
  for (int id = 0; id < 6; ++id) {
    const Json shown = json("betatune show demo " + std::to_string(id) + " --json");
    for (const Json& attempt : shown.at("attempt_list")) {
      const bool top = attempt.at("until") == 3;
      EXPECT_EQ(attempt.at("ranks"), top ? 2 : 1) << attempt;
      wide += top ? 1 : 0;
    }
  }
  EXPECT_GT(wide, 0) << "those that were promoted";
}

}  // namespace
}  // namespace betatune
