// A study whose trials are hybrid trainings of two groups of two ranks: kill -9 of a rank of the
// second group costs that group, kill -9 of rank 0 an attempt.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.hpp"
#include "tests/support/gang_study.hpp"

namespace betatune {
namespace {

using support::file_text;
using support::replaced;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kEpochs = 8;

class HybridStudy : public support::Gangs {
 protected:
  void start() {
    std::string text = support::small_gang_study("distributed-hybrid.yaml", 1, kEpochs);
    text = replaced(text, "train_samples: 2000", "train_samples: 30000");
    text = replaced(text, "name: asha, eta: 3", "name: fifo");
    text = replaced(text, "distributed.groups: .*", "distributed.groups: {value: 2}");
    write(replaced(text, "every: 30s", "every: 1s"));
    run_ = start_run(family_);
  }
  nlohmann::json trial() { return json("betatune show study.yaml 0 --json"); }
  /// The first one, so an epoch or more have been trained.
  bool a_checkpoint_comes() {
    return support::eventually([&] {
      std::error_code none_yet;
      const auto folder = folder_ / "run/checkpoints/trial-0";
      for (const auto& each : std::filesystem::directory_iterator(folder, none_yet)) {
        if (each.path().filename().string().rfind("attempt-1-step-", 0) == 0) return true;
      }
      return false;
    });
  }
  /// Ranks in their order: they are forked one after the other.
  std::vector<pid_t> ranks() {
    std::vector<pid_t> pids = support::ranks_of(family_);
    std::sort(pids.begin(), pids.end());
    return pids;
  }
  std::string told() const { return file_text(folder_ / "run.txt"); }
  /// Every epoch is there, with finite numbers; returns the groups of each.
  std::vector<int> groups_of_epochs() {
    std::vector<int> groups;
    const nlohmann::json shown = trial();
    for (const auto& report : shown.at("reports")) {
      const auto& metrics = report.at("metrics");
      if (!metrics.contains("groups_alive")) continue;  // of a checkpoint
      EXPECT_TRUE(metrics.at("train_loss").is_number()) << report;
      EXPECT_TRUE(metrics.at("val_loss").is_number()) << report;
      EXPECT_GT(metrics.at("val_auc").get<double>(), 0.5) << report;
      groups.push_back(metrics.at("groups_alive"));
    }
    return groups;
  }

  support::ProcessFamily family_{folder_.path()};
  pid_t run_ = 0;
};

TEST_F(HybridStudy, GoesOnInTheSameAttemptWhenARankOfTheSecondGroupIsKilled) {
  start();
  ASSERT_TRUE(a_checkpoint_comes()) << told() << log(0);
  const std::vector<pid_t> four = ranks();
  ASSERT_EQ(four.size(), 4u);

  ::kill(four[3], SIGKILL);

  ASSERT_EQ(support::wait_status(run_), 0) << told() << log(0);
  const nlohmann::json shown = trial();
  EXPECT_EQ(shown.at("outcome"), "completed");
  ASSERT_EQ(shown.at("attempt_list").size(), 1u) << shown.at("attempt_list");
  EXPECT_EQ(shown.at("attempt_list")[0].at("step"), kEpochs);
  const std::vector<int> groups = groups_of_epochs();
  ASSERT_EQ(groups.size(), static_cast<std::size_t>(kEpochs));
  EXPECT_EQ(groups.front(), 2);
  EXPECT_EQ(groups.back(), 1);
  EXPECT_THAT(log(0), HasSubstr("group 1 (ranks 2, 3) has ended, the others go on: rank 3 of the "
                                "trainer was ended by SIGKILL"));
  EXPECT_THAT(log(0), HasSubstr("1 of 2 groups are left"));
  EXPECT_TRUE(family_.dies_out());
  EXPECT_EQ(type("betatune replay study.yaml --verify").status, 0);
}

TEST_F(HybridStudy, LosesAnAttemptWithRankZeroAndHasAllGroupsInTheNext) {
  start();
  ASSERT_TRUE(a_checkpoint_comes()) << told() << log(0);
  std::vector<pid_t> four = ranks();
  ASSERT_EQ(four.size(), 4u);
  ::kill(four[2], SIGKILL);
  ASSERT_TRUE(support::eventually([&] { return log(0).find("group 1") != std::string::npos; }));

  ::kill(four[0], SIGKILL);

  ASSERT_EQ(support::wait_status(run_), 0) << told() << log(0) << log(0, 2);
  const nlohmann::json shown = trial();
  EXPECT_EQ(shown.at("outcome"), "completed");
  const auto& attempts = shown.at("attempt_list");
  ASSERT_EQ(attempts.size(), 2u) << attempts;
  EXPECT_EQ(attempts[0].at("failure"), "infra");
  EXPECT_THAT(attempts[0].at("message").get<std::string>(),
              HasSubstr("the trainer was ended by SIGKILL"));
  EXPECT_EQ(attempts[1].at("step"), kEpochs);
  EXPECT_EQ(groups_of_epochs().back(), 2);
  EXPECT_THAT(log(0, 2), Not(HasSubstr("has ended")));
}

}  // namespace
}  // namespace betatune
