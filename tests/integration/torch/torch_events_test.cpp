// torch_higgs and torch_sequences as the trainer meets them: what both have of the engine's
// plug-in, and that each learns.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/idx_files.hpp"
#include "tests/support/plugin_runner.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/plugin.h"

namespace betatune {
namespace {

using Json = nlohmann::json;
using support::quoted;
using ::testing::AllOf;
using ::testing::HasSubstr;

class EventTrainer : public ::testing::TestWithParam<const char*> {
 protected:
  static support::PluginRun run_plugin(const std::string& plugin, const Json& params,
                                       const Json& config, const std::string& arguments) {
    return support::run_plugin(plugin, "--params " + quoted(params.dump()) + " --config " +
                                           quoted(config.dump()) + " " + arguments);
  }
  support::PluginRun run(const Json& params, const std::string& arguments) {
    return run_plugin(GetParam(), params, config_, arguments);
  }
  std::string folder(const std::string& name) { return (folder_ / name).string(); }

  support::TemporaryDirectory folder_;
  Json config_ = {
      {"epochs", 4}, {"train_samples", 500}, {"validation_samples", 300}, {"test_samples", 200}};
};

/// Without the metrics that depend on how fast the machine is.
Json comparable(Json report) {
  report.erase("seconds_per_epoch");
  report.erase("samples_per_second");
  return report;
}

TEST_P(EventTrainer, ResumesBitForBit) {
  for (const char* optimizer : {"sgd", "adamw"}) {
    Json params = {{"optimizer", optimizer}, {"layers", 2},      {"hidden", 16},
                   {"dropout", 0.3},         {"clip_norm", 0.5}, {"batch_size", 64}};
    if (params["optimizer"] == "sgd") params["momentum_ramp"] = 0.6;
    const std::string name = optimizer;
    const auto whole = run(params, "--until 4 --save " + folder(name + "-whole"));
    const auto first = run(params, "--until 2 --save " + folder(name + "-half"));
    const auto rest = run(params, "--until 3,4 --load " + folder(name + "-half") + " --save " +
                                      folder(name + "-resumed"));

    ASSERT_EQ(whole.status, BETATUNE_OK) << whole.talk;
    ASSERT_EQ(first.status, BETATUNE_OK) << first.talk;
    ASSERT_EQ(rest.status, BETATUNE_OK) << rest.talk;
    ASSERT_EQ(whole.reports.size(), 4u);
    ASSERT_EQ(rest.reports.size(), 2u);
    EXPECT_EQ(comparable(whole.reports[3]), comparable(rest.reports[1]));
    for (const char* file : {"/model.pt", "/checkpoint.json"}) {
      const auto bytes = support::read_bytes(folder(name + "-whole") + file);
      EXPECT_FALSE(bytes.empty());
      EXPECT_TRUE(bytes == support::read_bytes(folder(name + "-resumed") + file)) << file;
    }
  }
}

TEST_P(EventTrainer, NamesWhatIsWrong) {
  EXPECT_THAT(run({{"lernrate", 0.1}}, "").talk, HasSubstr("unknown parameter `lernrate`"));
  EXPECT_THAT(run({{"dropout", 1.5}}, "").talk, HasSubstr("`dropout` is 1.5; it must be from 0.0"));
  EXPECT_THAT(run({{"momentum", 0.5}}, "").talk, HasSubstr("when: {optimizer: sgd}"));
  EXPECT_THAT(run({}, "--until 5").talk,
              AllOf(HasSubstr("epoch 5"), HasSubstr("trainer.config.epochs is 4")));
}

TEST_P(EventTrainer, RefusesTheCheckpointOfAnotherTraining) {
  ASSERT_EQ(run({{"hidden", 8}}, "--until 1 --save " + folder("one")).status, BETATUNE_OK);

  const auto other = run({{"hidden", 9}}, "--until 2 --load " + folder("one"));
  EXPECT_EQ(other.status, BETATUNE_ERROR);
  EXPECT_THAT(other.talk, AllOf(HasSubstr("another training"), HasSubstr("`training`")));
  config_["data_seed"] = 1;
  EXPECT_THAT(run({{"hidden", 8}}, "--until 2 --load " + folder("one")).talk,
              HasSubstr("`data_checksum`"));
}

TEST_P(EventTrainer, SaysThatATrainingDiverged) {
  const auto result =
      run({{"optimizer", "sgd"}, {"lr", 1e12}, {"weight_decay", 1e3}, {"schedule", "constant"}},
          "--until 4");

  EXPECT_EQ(result.status, BETATUNE_DIVERGED) << result.talk;
  ASSERT_FALSE(result.reports.empty());
  EXPECT_EQ(result.reports.back()["val_loss"], "NaN");
}

INSTANTIATE_TEST_SUITE_P(Plugins, EventTrainer, ::testing::Values("torch_higgs", "torch_sequences"),
                         [](const auto& plugin) { return std::string(plugin.param); });

class EventTrainerLearns : public EventTrainer {};

TEST_F(EventTrainerLearns, HiggsFromMassesMoreThanFromMomenta) {
  const Json params = {{"layers", 2}, {"hidden", 32}, {"lr", 5e-3}, {"batch_size", 100}};
  const auto auc = [&](const char* features) {
    const auto result = run_plugin("torch_higgs", params,
                                   {{"epochs", 4},
                                    {"train_samples", 6'000},
                                    {"validation_samples", 4'000},
                                    {"test_samples", 2'000},
                                    {"features", features}},
                                   "--until 4");
    EXPECT_EQ(result.status, BETATUNE_OK) << result.talk;
    EXPECT_EQ(result.reports.size(), 4u);
    const Json& last = result.reports.back();
    for (const char* name : {"val_loss", "val_auc", "samples_per_second", "test_auc"}) {
      EXPECT_TRUE(last.contains(name) && last[name].is_number()) << name << " in " << last;
    }
    // Of the same training, on other events: four standard deviations of an AUC of 2,000.
    EXPECT_NEAR(last["val_auc"].get<double>(), last["test_auc"].get<double>(), 0.05);
    return last["val_auc"].get<double>();
  };
  const double low = auc("low"), high = auc("high"), all = auc("all");

  EXPECT_GT(low, 0.55);
  EXPECT_GT(high, low + 0.05);
  EXPECT_GT(all, low + 0.05);
  EXPECT_LT(std::max(high, all), 0.95);
}

TEST_F(EventTrainerLearns, TheExampleOnTheEngineAndResumesIt) {
  const Json config = {{"epochs", 12}}, params = {{"lr", 2e-2}, {"hidden", 48}};
  const auto first = run_plugin("spirals", params, config, "--until 4 --save " + folder("half"));
  const auto rest = run_plugin("spirals", params, config, "--until 12 --load " + folder("half"));
  const auto whole = run_plugin("spirals", params, config, "--until 12");
  const auto other =
      run_plugin("spirals", params, {{"epochs", 13}}, "--until 8 --load " + folder("half"));

  ASSERT_EQ(first.status, BETATUNE_OK) << first.talk;
  ASSERT_EQ(rest.status, BETATUNE_OK) << rest.talk;
  EXPECT_GT(rest.reports.back()["test_accuracy"], 0.8);  // a third by chance
  EXPECT_EQ(comparable(rest.reports.back()), comparable(whole.reports.back()));
  EXPECT_THAT(other.talk, HasSubstr("another training"));
}

TEST_F(EventTrainerLearns, TopologiesOfSequences) {
  const auto result = run_plugin(
      "torch_sequences", {{"lr", 5e-3}, {"batch_size", 50}},
      {{"epochs", 4}, {"train_samples", 4'000}, {"validation_samples", 1'000}}, "--until 4");

  ASSERT_EQ(result.status, BETATUNE_OK) << result.talk;
  EXPECT_GT(result.reports.back()["val_accuracy"], 0.6);  // a third by chance
  EXPECT_LT(result.reports.back()["val_loss"], result.reports.front()["val_loss"]);
}

}  // namespace
}  // namespace betatune
