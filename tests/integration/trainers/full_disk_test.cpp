/// A full disk is the machine's fault, not the configuration's: an attempt that it hinders fails as
/// infra and is tried again; one that it does not hinder goes on.

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <optional>

#include "support/trainer_bench.hpp"
#include "tests/support/own_disk.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;

class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    // Before the bench: a process with threads cannot enter a namespace.
    disk_.emplace(4u << 20);
    if (!disk_->why_not().empty()) GTEST_SKIP() << disk_->why_not();
    bench_.emplace();
    bench_->start(kTrainer);
  }

  Assign on_disk(Assign made) const {
    made.job.study_dir = disk_->path();
    return made;
  }
  Assign script(std::uint64_t trial, const std::string& text) const {
    return on_disk(bench_->script(trial, text));
  }
  void expect_infra(const Assign& made, const std::string& words) {
    const Done done = bench_->run(made);
    EXPECT_EQ(done.end, AttemptEnd::failed);
    ASSERT_TRUE(done.failure.has_value());
    EXPECT_STREQ(to_name(*done.failure), "infra") << done.message;
    EXPECT_THAT(done.message, HasSubstr(words));
  }
  void expect_next_runs() {
    disk_->make_room();
    const Done next = bench_->run(script(9, "echo '{\"loss\": 1}'"));
    EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
  }

  std::optional<support::OwnDisk> disk_;
  std::optional<TrainerBench> bench_;
};

TEST_F(FullDisk, AnAttemptThatCannotWriteItsParametersFailsAsInfra) {
  disk_->fill();

  expect_infra(script(0, "echo '{\"loss\": 1}'"), "No space left on device");

  expect_next_runs();
}

TEST_F(FullDisk, ALogThatCannotBeWrittenHindersNoTraining) {
  // The folders and the parameters are there before the disk is full.
  const Assign made =
      script(0,
             "touch started; until [ -e full ]; do sleep 0.01; done; echo some words; "
             "echo '{\"loss\": 1}'");
  bench_->optimizer->assign(made);
  ASSERT_TRUE(bench_->optimizer->serve_until(
      [&] { return std::filesystem::exists(bench_->folder.path() / "started"); }));
  disk_->fill();
  std::ofstream(bench_->folder.path() / "full") << "yes";

  ASSERT_TRUE(bench_->optimizer->serve_all());

  EXPECT_EQ(bench_->optimizer->told(0).done->end, AttemptEnd::reached)
      << bench_->optimizer->told(0).done->message;
  EXPECT_EQ(bench_->optimizer->told(0).last("loss"), 1);
  expect_next_runs();
}

TEST_F(FullDisk, ACommandWhoseCheckpointDoesNotFitFailsAsInfraAndLeavesTheSpaceFree) {
  expect_infra(script(0, "head -c 8000000 /dev/zero > $BETATUNE_CHECKPOINT_DIR/state || exit 1"),
               "No space left on device");

  EXPECT_TRUE(bench_->optimizer->serve_until(
      [&] { return std::filesystem::space(disk_->path()).available > 3u << 20; }));
  expect_next_runs();
}

TEST_F(FullDisk, APluginThatFillsItsScratchFailsAsInfraAndTheSpaceIsFreeAgain) {
  Assign made = on_disk(bench_->assign(0, kPlugins + "misbehave.so"));
  made.job.config = {{"mode", "fill"}};

  expect_infra(made, "is full");

  EXPECT_TRUE(bench_->optimizer->serve_until(
      [&] { return std::filesystem::space(disk_->path()).available > 3u << 20; }));
  expect_next_runs();
}

TEST_F(FullDisk, APluginWhoseCheckpointDoesNotFitFailsAsInfra) {
  Assign made = on_disk(bench_->assign(0, "branin"));
  made.job.config = {{"delay_ms", 20}};
  made.until = 1'000'000;
  made.job.resumable = true;
  made.job.checkpoint_every_ms = 50;
  bench_->optimizer->on_report = [&](const Report& report) {
    if (report.checkpoint) disk_->fill();
  };

  expect_infra(made, "is full");

  bench_->optimizer->on_report = {};
  expect_next_runs();
}

}  // namespace
}  // namespace betatune::test
