#include "trainers/torch/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/failure_text.hpp"

namespace betatune::classifier {
namespace {

using support::failure_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string problem(const std::string& params, const std::string& config = "{}") {
  return failure_text([&] { read_settings(params, config); });
}

TEST(Settings, HasADefaultForEverything) {
  const Settings settings = read_settings("{}", "null");

  EXPECT_EQ(settings.model.kind, ModelKind::cnn);
  EXPECT_EQ(settings.optimizer.kind, OptimizerKind::adamw);
  EXPECT_EQ(settings.optimizer.lr, 1e-3);
  EXPECT_EQ(settings.optimizer.weight_decay, 0.01);
  EXPECT_EQ(settings.epochs, 1);
  EXPECT_EQ(settings.data.validation_samples, 5'000);
  EXPECT_FALSE(settings.data.train_samples.has_value());
}

TEST(Settings, ReadsEveryParameterOfAnMlp) {
  const Settings s = read_settings(
      R"({"model": "mlp", "layers": 3, "hidden": 64.0, "activation": "tanh", "dropout": 0.25,
          "batch_size": 32, "optimizer": "sgd", "lr": 0.1, "momentum": 0.8, "nesterov": true,
          "weight_decay": 1e-4, "schedule": "step", "gamma": 0.5, "warmup": 0.1,
          "label_smoothing": 0.05})",
      R"({"data": "/d", "epochs": 9, "train_samples": 100, "validation_samples": 50,
          "test_samples": 10, "split_seed": 3})");

  EXPECT_EQ(s.model.kind, ModelKind::mlp);
  EXPECT_EQ(s.model.layers, 3);
  EXPECT_EQ(s.model.hidden, 64);
  EXPECT_EQ(s.model.activation, Activation::tanh);
  EXPECT_EQ(s.model.dropout, 0.25);
  EXPECT_EQ(s.batch_size, 32);
  EXPECT_EQ(s.optimizer.kind, OptimizerKind::sgd);
  EXPECT_EQ(s.optimizer.lr, 0.1);
  EXPECT_EQ(s.optimizer.momentum, 0.8);
  EXPECT_TRUE(s.optimizer.nesterov);
  EXPECT_EQ(s.optimizer.weight_decay, 1e-4);
  EXPECT_EQ(s.schedule.kind, ScheduleKind::step);
  EXPECT_EQ(s.schedule.gamma, 0.5);
  EXPECT_EQ(s.schedule.warmup, 0.1);
  EXPECT_EQ(s.label_smoothing, 0.05);
  EXPECT_EQ(s.epochs, 9);
  EXPECT_EQ(s.data.directory, "/d");
  EXPECT_EQ(s.data.train_samples, 100);
  EXPECT_EQ(s.data.validation_samples, 50);
  EXPECT_EQ(s.data.test_samples, 10);
  EXPECT_EQ(s.data.split_seed, 3u);
}

TEST(Settings, ReadsEveryParameterOfACnn) {
  const Settings s = read_settings(
      R"({"model": "cnn", "blocks": 3, "channels": 8, "kernel": 5, "dense": 0,
          "optimizer": "adamw", "beta1": 0.8, "beta2": 0.99})",
      "{}");

  EXPECT_EQ(s.model.blocks, 3);
  EXPECT_EQ(s.model.channels, 8);
  EXPECT_EQ(s.model.kernel, 5);
  EXPECT_EQ(s.model.dense, 0);
  EXPECT_EQ(s.optimizer.beta1, 0.8);
  EXPECT_EQ(s.optimizer.beta2, 0.99);
}

TEST(Settings, NamesTheNearestOfAnUnknownKey) {
  EXPECT_THAT(problem(R"({"learning_rate": 0.1})"),
              AllOf(HasSubstr("unknown parameter `learning_rate`"), HasSubstr(" lr")));
  EXPECT_THAT(problem(R"({"batchsize": 3})"), HasSubstr("did you mean `batch_size`?"));
  EXPECT_THAT(problem("{}", R"({"epoch": 3})"),
              AllOf(HasSubstr("trainer.config key `epoch`"), HasSubstr("`epochs`")));
}

TEST(Settings, RefusesParametersWithoutEffect) {
  EXPECT_THAT(problem(R"({"model": "mlp", "channels": 8})"),
              AllOf(HasSubstr("`channels`"), HasSubstr("when: {model: cnn}")));
  EXPECT_THAT(problem(R"({"optimizer": "adamw", "momentum": 0.9})"),
              HasSubstr("when: {optimizer: sgd}"));
  EXPECT_THAT(problem(R"({"schedule": "cosine", "gamma": 0.9})"),
              HasSubstr("when: {schedule: step}"));
}

TEST(Settings, NamesTheRangeOfAValueOutside) {
  EXPECT_THAT(problem(R"({"dropout": 1.0})"), HasSubstr("`dropout` is 1.0; it must be from 0.0"));
  EXPECT_THAT(problem(R"({"lr": 0})"), HasSubstr("`lr`"));
  EXPECT_THAT(problem(R"({"lr": "fast"})"), HasSubstr("must be a number"));
  EXPECT_THAT(problem(R"({"batch_size": 2.5})"), HasSubstr("whole number from 1"));
  EXPECT_THAT(problem(R"({"kernel": 4})"), HasSubstr("odd"));
  EXPECT_THAT(problem(R"({"activation": "sine"})"), HasSubstr("relu, gelu, tanh, silu, elu"));
  EXPECT_THAT(problem(R"({"optimizer": "sgd", "nesterov": 1})"), HasSubstr("true or false"));
  EXPECT_THAT(problem(R"({"optimizer": "sgd", "nesterov": true, "momentum": 0})"),
              HasSubstr("momentum above 0"));
  EXPECT_THAT(problem("{}", R"({"data": 3})"), HasSubstr("must be a text"));
  EXPECT_THAT(problem("[1]"), HasSubstr("expected a JSON object"));
  EXPECT_THAT(problem("{"), HasSubstr("expected a JSON object"));
}

TEST(Settings, IdentityTellsTrainingsApart) {
  const auto identity = [](const char* params, const char* config) {
    return training_identity(read_settings(params, config));
  };

  EXPECT_EQ(identity("{}", "{}"), identity(R"({"lr": 0.001})", R"({"data": "/elsewhere"})"));
  for (const char* params :
       {R"({"lr": 0.002})", R"({"model": "mlp"})", R"({"dropout": 0.1})", R"({"batch_size": 65})",
        R"({"schedule": "linear"})", R"({"label_smoothing": 0.1})", R"({"beta2": 0.99})"}) {
    EXPECT_NE(identity("{}", "{}"), identity(params, "{}")) << params;
  }
  EXPECT_NE(identity("{}", "{}"), identity("{}", R"({"epochs": 2})"));
}

}  // namespace
}  // namespace betatune::classifier
