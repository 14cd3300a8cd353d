#include "trainers/torch/learner.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/support/failure_text.hpp"
#include "tests/support/idx_files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune::classifier {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

class LearnerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const support::TemporaryDirectory folder;
    support::write_data_set(folder.path(), 120, 40);
    DataSettings settings;
    settings.directory = folder.path();
    settings.validation_samples = 40;
    data_ = new Dataset(load_dataset(settings));
  }
  static void TearDownTestSuite() { delete data_; }

  static const Dataset* data_;
};
const Dataset* LearnerTest::data_ = nullptr;

/// Draws from the whole space of parameters, only those that have an effect.
class Draws {
 public:
  explicit Draws(std::uint32_t seed) : engine_(seed) {}

  Json parameters() {
    Json p = {{"model", pick({"mlp", "cnn"})},
              {"activation", pick({"relu", "gelu", "tanh", "silu", "elu"})},
              {"dropout", pick({0.0, 0.3})},
              {"batch_size", pick({7, 16, 500})},
              {"optimizer", pick({"sgd", "adamw"})},
              {"lr", 1e-3},
              {"weight_decay", pick({0.0, 1e-3})},
              {"schedule", pick({"constant", "cosine", "linear", "step"})},
              {"warmup", pick({0.0, 0.5})},
              {"label_smoothing", pick({0.0, 0.1})},
              {"precision", pick({"float32", "bf16"})}};
    if (p["model"] == "mlp") {
      p["layers"] = pick({0, 1, 3});
      p["hidden"] = pick({1, 17, 64});
    } else {
      p["blocks"] = pick({1, 2, 3});
      p["channels"] = pick({1, 3, 8});
      p["kernel"] = pick({1, 3, 5});
      p["dense"] = pick({0, 9});
    }
    if (p["optimizer"] == "sgd") {
      p["momentum"] = pick({0.5, 0.9});
      p["nesterov"] = pick({true, false});
    } else {
      p["beta2"] = pick({0.95, 0.999});
    }
    return p;
  }

 private:
  Json pick(std::initializer_list<Json> choices) {
    return *(choices.begin() + std::uniform_int_distribution<long>(
                                   0, static_cast<long>(choices.size()) - 1)(engine_));
  }
  std::mt19937 engine_;
};

/// Weights and biases, counted by hand for 8 x 8 pictures of 4 classes.
std::int64_t expected_parameters(const ModelSettings& m) {
  std::int64_t count = 0, inputs = 64;
  if (m.kind == ModelKind::mlp) {
    for (int i = 0; i < m.layers; ++i) {
      count += (inputs + 1) * m.hidden;
      inputs = m.hidden;
    }
  } else {
    std::int64_t channels = 1, next = m.channels, side = 8;
    for (int i = 0; i < m.blocks; ++i) {
      count += (channels * m.kernel * m.kernel + 1) * next;
      channels = next;
      next *= 2;
      side /= 2;
    }
    inputs = channels * side * side;
    if (m.dense > 0) {
      count += (inputs + 1) * m.dense;
      inputs = m.dense;
    }
  }
  return count + (inputs + 1) * 4;
}

TEST_F(LearnerTest, TrainsWhateverTheParameters) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    const std::string params = Draws(seed).parameters().dump();
    SCOPED_TRACE(params);
    const Settings settings = read_settings(params, R"({"epochs": 2})");
    Learner learner(settings, *data_, seed, Machine{});

    const EpochResult result = learner.train_epoch(1);
    const Score score = learner.score(data_->validation);

    EXPECT_EQ(learner.parameter_count(), expected_parameters(settings.model));
    EXPECT_EQ(result.samples, 80);
    EXPECT_TRUE(std::isfinite(result.loss));
    EXPECT_TRUE(std::isfinite(score.loss));
    EXPECT_GE(score.accuracy, 0);
    EXPECT_LE(score.accuracy, 1);
  }
}

TEST_F(LearnerTest, LearnsBothModelsWithBothOptimizers) {
  for (const char* model : {"mlp", "cnn"}) {
    for (const char* optimizer : {"sgd", "adamw"}) {
      const Json params = {{"model", model}, {"optimizer", optimizer}, {"batch_size", 8}};
      SCOPED_TRACE(params.dump());
      Learner learner(read_settings(params.dump(), R"({"epochs": 8})"), *data_, 1, Machine{});
      for (int epoch = 1; epoch <= 8; ++epoch) (void)learner.train_epoch(epoch);

      EXPECT_GT(learner.score(data_->test).accuracy, 0.9);  // 0.25 by chance
    }
  }
}

Settings in_precision(const std::string& precision, const std::string& model) {
  const Json params = {{"model", model}, {"precision", precision}, {"batch_size", 8}};
  return read_settings(params.dump(), R"({"epochs": 8})");
}

TEST_F(LearnerTest, SixteenBitsLearnAlmostTheSame) {
  for (const char* model : {"mlp", "cnn"}) {
    SCOPED_TRACE(model);
    Learner half(in_precision("bf16", model), *data_, 1, Machine{});
    Learner full(in_precision("float32", model), *data_, 1, Machine{});

    const double first = half.train_epoch(1).loss, in_full = full.train_epoch(1).loss;
    EXPECT_NE(first, in_full);
    EXPECT_NEAR(first, in_full, 0.02 * in_full);
    for (int epoch = 2; epoch <= 8; ++epoch) (void)half.train_epoch(epoch);
    EXPECT_GT(half.score(data_->test).accuracy, 0.9);
  }
}

TEST_F(LearnerTest, SixteenBitsGoOnAsIfNeverInterruptedAndSaveThirtyTwo) {
  const support::TemporaryDirectory folder;
  Learner whole(in_precision("bf16", "cnn"), *data_, 1, Machine{});
  (void)whole.train_epoch(1);
  whole.save(folder.path());
  Learner resumed(in_precision("bf16", "cnn"), *data_, 1, Machine{});
  resumed.load(folder.path());
  Learner full(in_precision("float32", "cnn"), *data_, 1, Machine{});
  full.load(folder.path());

  const double loss = whole.score(data_->test).loss;
  EXPECT_NE(full.score(data_->test).loss, loss);
  EXPECT_NEAR(full.score(data_->test).loss, loss, 0.02 * loss);
  EXPECT_EQ(resumed.train_epoch(2).loss, whole.train_epoch(2).loss);
  EXPECT_EQ(resumed.score(data_->test).loss, whole.score(data_->test).loss);
}

TEST_F(LearnerTest, TheSeedDecidesAll) {
  const Settings settings = read_settings(R"({"dropout": 0.3})", R"({"epochs": 3})");
  const auto losses = [&](std::uint64_t seed) {
    Learner learner(settings, *data_, seed, Machine{});
    std::vector<double> all;
    for (int epoch = 1; epoch <= 3; ++epoch) {
      all.push_back(learner.train_epoch(epoch).loss);
      all.push_back(learner.score(data_->validation).loss);
    }
    return all;
  };

  EXPECT_EQ(losses(5), losses(5));
  EXPECT_NE(losses(5), losses(6));
}

TEST_F(LearnerTest, ScoringChangesNothing) {
  const Settings settings = read_settings(R"({"dropout": 0.3})", R"({"epochs": 2})");
  Learner scored(settings, *data_, 1, Machine{}), plain(settings, *data_, 1, Machine{});
  EXPECT_EQ(scored.train_epoch(1).loss, plain.train_epoch(1).loss);
  const Score first = scored.score(data_->test);
  const Score second = scored.score(data_->test);

  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(scored.train_epoch(2).loss, plain.train_epoch(2).loss);
}

TEST_F(LearnerTest, TheWholeScheduleIsWalkedThrough) {
  const Settings settings =
      read_settings(R"({"schedule": "linear", "lr": 0.01, "batch_size": 8})", R"({"epochs": 2})");
  Learner learner(settings, *data_, 1, Machine{});

  // 80 samples in batches of 8: steps 0 to 9 of 20, then 10 to 19.
  EXPECT_DOUBLE_EQ(learner.train_epoch(1).last_learning_rate, 0.01 * (1 - 9.0 / 20));
  EXPECT_DOUBLE_EQ(learner.train_epoch(2).last_learning_rate, 0.01 * (1 - 19.0 / 20));
}

TEST_F(LearnerTest, RefusesMoreBlocksThanTheImageHasRoomFor) {
  const Settings settings = read_settings(R"({"blocks": 4})", "{}");

  EXPECT_THAT(support::failure_text([&] { Learner(settings, *data_, 1, Machine{}); }),
              HasSubstr("take fewer blocks"));
}

}  // namespace
}  // namespace betatune::classifier
