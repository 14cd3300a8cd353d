// The plug-in as the trainer meets it: a .so, loaded by a process that knows nothing of libtorch.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/idx_files.hpp"
#include "tests/support/plugin_runner.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/plugin.h"

namespace betatune {
namespace {

using Json = nlohmann::json;
using support::PluginRun;
using support::quoted;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// The metrics that do not depend on how fast the machine is.
std::vector<Json> without_times(std::vector<Json> reports) {
  for (auto& report : reports) {
    report.erase("seconds_per_epoch");
    report.erase("samples_per_second");
  }
  return reports;
}

class TorchClassifierTest : public ::testing::Test {
 protected:
  TorchClassifierTest() { support::write_data_set(folder_.path()); }

  PluginRun run(const Json& params, const std::string& arguments, const std::string& before = "") {
    return support::run_plugin("torch_classifier",
                               "--params " + quoted(params.dump()) + " --config " +
                                   quoted(config_.dump()) + " " + arguments,
                               before);
  }
  std::string folder(const std::string& name) { return (folder_ / name).string(); }
  void expect_same_file(const std::string& a, const std::string& b) {
    const auto bytes = support::read_bytes(a);
    EXPECT_FALSE(bytes.empty()) << a;
    EXPECT_TRUE(bytes == support::read_bytes(b)) << a << " and " << b << " differ";
  }

  support::TemporaryDirectory folder_;
  Json config_ = {{"data", folder_.path().string()}, {"epochs", 4}, {"validation_samples", 40}};
};

/// Parameter: {model, optimizer}.
class ResumeTest : public TorchClassifierTest,
                   public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {};

TEST_P(ResumeTest, EqualsAnUninterruptedTrainingBitForBit) {
  const Json params = {{"model", std::get<0>(GetParam())},
                       {"optimizer", std::get<1>(GetParam())},
                       {"dropout", 0.3},
                       {"batch_size", 16},
                       {"schedule", "cosine"},
                       {"warmup", 0.3}};

  const auto whole = run(params, "--until 4 --save " + folder("whole"));
  const auto first = run(params, "--until 2 --save " + folder("half"));
  const auto rest =
      run(params, "--until 3,4 --load " + folder("half") + " --save " + folder("resumed"));

  ASSERT_EQ(whole.status, BETATUNE_OK) << whole.talk;
  ASSERT_EQ(first.status, BETATUNE_OK) << first.talk;
  ASSERT_EQ(rest.status, BETATUNE_OK) << rest.talk;
  ASSERT_EQ(whole.reports.size(), 4u);
  ASSERT_EQ(rest.reports.size(), 2u);
  EXPECT_EQ(without_times(whole.reports)[3], without_times(rest.reports)[1]);
  // Not optimizer.pt: libtorch names its entries by addresses. That it holds all is seen by the
  // weights two epochs later.
  for (const char* file : {"/model.pt", "/checkpoint.json"}) {
    expect_same_file(folder("whole") + file, folder("resumed") + file);
  }
}

INSTANTIATE_TEST_SUITE_P(ModelsAndOptimizers, ResumeTest,
                         ::testing::Combine(::testing::Values("mlp", "cnn"),
                                            ::testing::Values("sgd", "adamw")),
                         [](const auto& parameter) {
                           return std::string(std::get<0>(parameter.param)) + "_" +
                                  std::get<1>(parameter.param);
                         });

TEST_F(TorchClassifierTest, ReportsLossesSpeedAndTheTestSetAtTheEnd) {
  const auto result = run({{"batch_size", 8}}, "--until 4");

  ASSERT_EQ(result.status, BETATUNE_OK) << result.talk;
  ASSERT_EQ(result.reports.size(), 4u);
  for (const Json& report : result.reports) {
    for (const char* name : {"train_loss", "val_loss", "val_error", "val_accuracy", "learning_rate",
                             "seconds_per_epoch", "samples_per_second"}) {
      EXPECT_TRUE(report.contains(name) && report[name].is_number()) << name << " in " << report;
    }
    EXPECT_NEAR(report["val_error"].get<double>() + report["val_accuracy"].get<double>(), 1, 1e-12);
  }
  EXPECT_TRUE(result.reports[0].contains("parameters"));
  EXPECT_FALSE(result.reports[1].contains("parameters"));
  EXPECT_FALSE(result.reports[2].contains("test_accuracy"));
  EXPECT_GT(result.reports[3]["test_accuracy"], 0.5);
  EXPECT_LT(result.reports[3]["train_loss"], result.reports[0]["train_loss"]);
}

TEST_F(TorchClassifierTest, TrainsInChildrenForkedAfterLoading) {
  const auto once = run({}, "--until 2");
  const auto forked = run({}, "--until 2 --children 2");

  ASSERT_EQ(forked.status, BETATUNE_OK) << forked.talk;
  ASSERT_EQ(forked.reports.size(), 4u);
  const auto reports = without_times(forked.reports), expected = without_times(once.reports);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(reports[i], expected[i % 2]);
}

TEST_F(TorchClassifierTest, SaysThatATrainingDiverged) {
  const auto result = run({{"optimizer", "sgd"}, {"lr", 1e9}}, "--until 4");

  EXPECT_EQ(result.status, BETATUNE_DIVERGED);
  EXPECT_THAT(result.talk, HasSubstr("not finite"));
  ASSERT_FALSE(result.reports.empty());
  EXPECT_LT(result.reports.size(), 4u);
  EXPECT_EQ(result.reports.back()["val_loss"], "NaN");
  EXPECT_EQ(result.reports.back()["val_error"], "NaN");
}

TEST_F(TorchClassifierTest, SaysThatMemoryRanOut) {
  const Json params = {{"model", "mlp"}, {"layers", 4}, {"hidden", 65'536}};
  const auto result = run(params, "--until 1", "ulimit -v 8000000;");

  EXPECT_EQ(result.status, BETATUNE_OOM) << result.talk;
  EXPECT_THAT(result.talk, HasSubstr("allocate"));
}

TEST_F(TorchClassifierTest, RefusesTheCheckpointOfAnotherTraining) {
  ASSERT_EQ(run({{"lr", 0.01}}, "--until 1 --save " + folder("one")).status, BETATUNE_OK);

  const auto other_kind =
      run({{"lr", 0.01}, {"optimizer", "sgd"}}, "--until 2 --load " + folder("one"));
  EXPECT_EQ(other_kind.status, BETATUNE_ERROR);
  EXPECT_THAT(other_kind.talk, AllOf(HasSubstr("another training"), HasSubstr("`training`")));

  config_["train_samples"] = 50;
  const auto other_data = run({{"lr", 0.01}}, "--until 2 --load " + folder("one"));
  EXPECT_THAT(other_data.talk, HasSubstr("`data_checksum`"));
}

TEST_F(TorchClassifierTest, GoesOnWithOtherRatesFromTheCheckpointOfAnother) {
  const Json slow = {{"optimizer", "sgd"}, {"lr", 1e-9}, {"schedule", "constant"}};
  Json fast = slow;
  fast["lr"] = 0.1;
  const auto trained = [&](const Json& params, const std::string& arguments) {
    const auto result = run(params, arguments);
    EXPECT_EQ(result.status, BETATUNE_OK) << result.talk;
    EXPECT_EQ(result.talk.find("with other settings") != std::string::npos,
              arguments.find("--load") != std::string::npos);
    return result.reports.back()["val_loss"].get<double>();
  };
  const double slowly = trained(slow, "--until 1 --save " + folder("slow"));
  const double quickly = trained(fast, "--until 1 --save " + folder("fast"));
  ASSERT_GT(std::abs(quickly - slowly), 1e-3);

  // The weights are the other's, the rate is its own.
  EXPECT_NEAR(trained(slow, "--seed 2 --until 2 --load " + folder("fast")), quickly, 1e-4);
  EXPECT_GT(std::abs(trained(fast, "--seed 2 --until 2 --load " + folder("slow")) - slowly), 1e-3);
}

TEST_F(TorchClassifierTest, RefusesADamagedCheckpoint) {
  EXPECT_THAT(run({}, "--load " + folder("nothing")).talk, HasSubstr("missing or damaged"));

  ASSERT_EQ(run({}, "--until 1 --save " + folder("one")).status, BETATUNE_OK);
  std::filesystem::resize_file(folder("one") + "/model.pt", 100);
  const auto result = run({}, "--until 2 --load " + folder("one"));
  EXPECT_EQ(result.status, BETATUNE_ERROR);
  EXPECT_THAT(result.talk, HasSubstr("libtorch"));
}

TEST_F(TorchClassifierTest, SaysThatTheStudyAsksForMoreEpochsThanTheSchedule) {
  const auto result = run({}, "--until 5");

  EXPECT_EQ(result.status, BETATUNE_ERROR);
  EXPECT_THAT(result.talk, AllOf(HasSubstr("epoch 5"), HasSubstr("trainer.config.epochs is 4")));
}

TEST_F(TorchClassifierTest, LearnsFashionMnist) {
  const std::string data = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  config_ = {{"data", data},
             {"epochs", 2},
             {"train_samples", 2'000},
             {"validation_samples", 500},
             {"test_samples", 500}};

  const auto result = run({{"batch_size", 32}, {"lr", 2e-3}}, "--until 2");

  ASSERT_EQ(result.status, BETATUNE_OK) << result.talk;
  EXPECT_GT(result.reports[1]["test_accuracy"], 0.7);  // 0.1 by chance
}

}  // namespace
}  // namespace betatune
