// The ready study of population-based training, as a user runs it, at a small scale.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/file_text.hpp"
#include "tests/support/ready_study.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune {
namespace {

using support::Ended;
using support::replaced;
using ::testing::HasSubstr;

class Population : public ::testing::Test {
 protected:
  Population() {
    std::string text =
        support::file_text(std::string(BETATUNE_SOURCE_DIR) + "/configs/fashion-mnist-pbt.yaml");
    text = replaced(text, "max: 20, resumable", "max: 8, resumable");
    text = replaced(text, "epochs: 20", "epochs: 8");
    text = replaced(text, "train_samples: 6000, validation_samples: 2000",
                    "train_samples: 1000, validation_samples: 500, test_samples: 100");
    text = replaced(text, "population: 8", "population: 4");
    text = replaced(text, "name: local", "name: local, trainers: 1");
    text_ = replaced(text, "path: runs/[a-z-]*", "path: run");
  }
  Ended type(const std::string& folder, const std::string& command) {
    const auto path = folder_.path() / folder;
    if (std::filesystem::create_directories(path)) std::ofstream(path / "study.yaml") << text_;
    return support::type(path, command);
  }

  support::TemporaryDirectory folder_;
  std::string text_;
};

TEST_F(Population, KilledComesToTheSameSchedule) {
  ASSERT_EQ(type("quiet", "betatune run study.yaml").status, 0);
  for (int i = 0; i < 3; ++i) (void)type("killed", "timeout -s KILL 2 betatune run study.yaml");
  const Ended ran = type("killed", "betatune run study.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;

  for (const char* folder : {"quiet", "killed"}) {
    EXPECT_EQ(type(folder, "betatune replay study.yaml --verify").status, 0) << folder;
  }
  const std::string schedule = type("quiet", "betatune export jsonl study.yaml --schedule").out;
  EXPECT_EQ(schedule, type("killed", "betatune export jsonl study.yaml --schedule").out);

  // The stretches follow each other from the first step to the last.
  std::istringstream lines(schedule);
  std::int64_t at = 0;
  int stretches = 0;
  for (std::string line; std::getline(lines, line); ++stretches) {
    const auto stretch = nlohmann::json::parse(line);
    EXPECT_EQ(stretch.at("from"), at) << schedule;
    at = stretch.at("until");
  }
  EXPECT_EQ(at, 8);
  EXPECT_GE(stretches, 1);
}

TEST_F(Population, SaysWhatACopyGoesOnFrom) {
  ASSERT_EQ(type("run", "betatune run study.yaml").status, 0);

  const auto trials =
      nlohmann::json::parse(type("run", "betatune trials study.yaml --json").out).at("trials");
  ASSERT_GT(trials.size(), 4u) << "nobody was replaced";
  const auto& copy = trials.at(4);
  EXPECT_EQ(copy.at("origin"), "exploit");
  EXPECT_EQ(trials.at(copy.at("replaces").get<std::size_t>()).at("outcome"), "stopped");
  EXPECT_THAT(type("run", "betatune show study.yaml 4").out,
              HasSubstr("began from trial " + std::to_string(copy.at("parent").get<int>())));
  EXPECT_THAT(type("run", "betatune logs study.yaml 4 --attempt 1").out,
              HasSubstr("goes on from a training with other settings"));
  const auto schedule = type("run", "betatune export csv study.yaml --schedule 4").out;
  EXPECT_EQ(std::ranges::count(schedule, '\n'), 3) << schedule;
  EXPECT_THAT(type("run", "betatune export csv study.yaml --schedule 99").err,
              HasSubstr("there is no trial `99`"));
}

}  // namespace
}  // namespace betatune
