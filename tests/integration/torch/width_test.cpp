// Trials whose number of ranks changes from rung to rung, trained for real: the ready study at a
// small scale, killed on the way.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/file_text.hpp"
#include "tests/support/ready_study.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune {
namespace {

using support::Ended;
using support::replaced;
using ::testing::HasSubstr;

constexpr int kTrials = 6;

class Widths : public ::testing::Test {
 protected:
  Widths() {
    std::string text =
        support::file_text(std::string(BETATUNE_SOURCE_DIR) + "/configs/width-by-rung.yaml");
    text = replaced(text, "max: 9, resumable", "max: 3, resumable");
    text = replaced(text, "epochs: 9", "epochs: 3");
    text = replaced(text, "train_samples: 40000", "train_samples: 2000");
    text = replaced(text, "(validation|test)_samples: 10000", "$1_samples: 500");
    text = replaced(text, "trials: 24", "trials: " + std::to_string(kTrials));
    // One at a time, so that the other slot is free for whoever may have two.
    text = replaced(text, "max_failed: 10", "max_failed: 10, parallel: 1");
    text = replaced(text, "name: auto", "name: random");
    text_ = replaced(text, "path: runs/[a-z-]*", "path: run");
  }
  void SetUp() override {
    if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "two slots need two cores";
  }

  Ended type(const std::string& folder, const std::string& command) {
    const auto path = folder_.path() / folder;
    if (std::filesystem::create_directories(path)) std::ofstream(path / "study.yaml") << text_;
    return support::type(path, command);
  }
  nlohmann::json json(const std::string& folder, const std::string& command) {
    const Ended ended = type(folder, command);
    EXPECT_EQ(ended.status, 0) << ended.err;
    return nlohmann::json::parse(ended.out, nullptr, false);
  }
  /// The value of `val_auc` by trial and epoch.
  std::map<std::pair<int, int>, double> curves(const std::string& folder) {
    std::map<std::pair<int, int>, double> all;
    for (int id = 0; id < kTrials; ++id) {
      const auto shown = json(folder, "betatune show study.yaml " + std::to_string(id) + " --json");
      for (const auto& report : shown.at("reports")) {
        if (!report.at("metrics").contains("val_auc")) continue;  // of a checkpoint
        all[{id, report.at("step").get<int>()}] = report.at("metrics").at("val_auc").get<double>();
      }
    }
    return all;
  }

  support::TemporaryDirectory folder_;
  std::string text_;
};

TEST_F(Widths, GrowFromRungToRungWhateverIsKilled) {
  for (int i = 0; i < 3; ++i) (void)type("run", "timeout -s KILL 1 betatune run study.yaml");
  const Ended ran = type("run", "betatune run study.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;

  EXPECT_EQ(json("run", "betatune trials study.yaml --json").at("trials").size(),
            static_cast<std::size_t>(kTrials));
  int narrow = 0, wide = 0;
  for (int id = 0; id < kTrials; ++id) {
    const auto shown = json("run", "betatune show study.yaml " + std::to_string(id) + " --json");
    for (const auto& attempt : shown.at("attempt_list")) {
      const bool top = attempt.at("until") == 3;
      EXPECT_EQ(attempt.at("ranks"), top ? 2 : 1) << attempt;
      if (attempt.at("outcome") != "reached") continue;
      EXPECT_GE(attempt.at("from"), top ? 1 : 0) << "from what one rank had saved";
      ++(top ? wide : narrow);
    }
  }
  EXPECT_EQ(narrow, kTrials);
  EXPECT_GE(wide, kTrials / 3);
  EXPECT_EQ(type("run", "betatune replay study.yaml --verify").status, 0);
  const auto cost = json("run", "betatune cost study.yaml --json").at("total");
  EXPECT_GT(cost.at("slot_seconds"), cost.at("seconds"));
}

/// The batch is of all ranks together, so it is the same training.
TEST_F(Widths, TrainWhatOneRankTrains) {
  ASSERT_EQ(type("wide", "betatune run study.yaml").status, 0);
  text_ = replaced(text_, "ranks: .choices: .1, 2., policy: scale-with-rung.", "ranks: 1");
  text_ = replaced(text_, ", rank_timeout: 60s", "");
  ASSERT_EQ(type("narrow", "betatune run study.yaml").status, 0);

  const auto wide = curves("wide"), narrow = curves("narrow");
  int compared = 0;
  for (const auto& [at, auc] : wide) {
    const auto other = narrow.find(at);
    if (other == narrow.end()) continue;
    // Sums over two ranks are rounded in another order, and an AUC is a step function.
    EXPECT_NEAR(auc, other->second, at.second == 1 ? 0 : 0.01) << at.first << " " << at.second;
    compared += at.second == 3 ? 1 : 0;
  }
  EXPECT_GE(compared, 1);
}

}  // namespace
}  // namespace betatune
