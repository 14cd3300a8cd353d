#include "trainers/torch/engine/recipe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/failure_text.hpp"
#include "trainers/torch/engine/schedule.hpp"

namespace betatune::engine {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Recipe recipe_of(const std::string& params_json) {
  Recipe recipe;
  Fields params(params_json, "parameter");
  read_recipe(params, recipe);
  params.finish();
  return recipe;
}

std::string recipe_problem(const std::string& params) {
  return support::failure_text([&] { (void)recipe_of(params); });
}

TEST(Recipe, MomentumRampsAndStays) {
  const auto sgd = recipe_of(
                       R"({"optimizer": "sgd", "momentum": 0.9, "momentum_ramp": 0.5,
                           "momentum_final": 0.98})")
                       .optimizer;

  EXPECT_DOUBLE_EQ(momentum(sgd, 0), 0.9);
  EXPECT_DOUBLE_EQ(momentum(sgd, 0.25), 0.94);
  EXPECT_DOUBLE_EQ(momentum(sgd, 0.5), 0.98);
  EXPECT_DOUBLE_EQ(momentum(sgd, 0.9), 0.98);
  EXPECT_EQ(momentum(recipe_of(R"({"optimizer": "sgd", "momentum": 0.7})").optimizer, 0.9), 0.7);
}

TEST(Recipe, ExponentialScheduleEndsAtItsDecay) {
  const auto schedule =
      recipe_of(R"({"schedule": "exponential", "decay": 0.01, "warmup": 0.5})").schedule;

  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2, 0.25), 1);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2, 0.5), 2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2, 0.75), 0.2);
}

TEST(Recipe, RefusesWhatHasNoEffect) {
  EXPECT_THAT(recipe_problem(R"({"momentum_ramp": 0.5})"), HasSubstr("when: {optimizer: sgd}"));
  EXPECT_THAT(recipe_problem(R"({"decay": 0.5})"), HasSubstr("when: {schedule: exponential}"));
  EXPECT_THAT(
      recipe_problem(
          R"({"optimizer": "sgd", "momentum": 0.95, "momentum_ramp": 1, "momentum_final": 0.9})"),
      AllOf(HasSubstr("`momentum_final`"), HasSubstr("below `momentum`")));
}

TEST(Recipe, PrecisionIsOneOfTwo) {
  EXPECT_EQ(recipe_of("{}").precision, Precision::float32);
  EXPECT_EQ(recipe_of(R"({"precision": "bf16"})").precision, Precision::bf16);
  EXPECT_THAT(recipe_problem(R"({"precision": "fp16"})"),
              AllOf(HasSubstr("`precision`"), HasSubstr("bf16")));
  EXPECT_NE(identity_of(recipe_of(R"({"precision": "bf16"})")), identity_of(recipe_of("{}")));
  const auto lasting = [](const std::string& params) {
    return lasting_part(identity_of(recipe_of(params)).dump());
  };
  EXPECT_EQ(lasting(R"({"precision": "bf16"})"), lasting("{}")) << "weights keep 32 bits";
}

TEST(Recipe, IdentityIsThatOfOlderCheckpointsUnlessNewMembersHaveAnEffect) {
  EXPECT_EQ(identity_of(recipe_of("{}")).dump(),
            R"({"batch_size":64,"epochs":1,"optimizer":[1,0.001,0.01,0.9,false,0.9,0.999],)"
            R"("schedule":[1,0.0,0.1]})");
  for (const char* params : {R"({"clip_norm": 1})", R"({"schedule": "exponential", "decay": 0.2})",
                             R"({"optimizer": "sgd", "momentum_ramp": 1})"}) {
    EXPECT_NE(identity_of(recipe_of(params)), identity_of(recipe_of("{}"))) << params;
  }
  EXPECT_NE(identity_of(recipe_of(R"({"optimizer": "sgd", "momentum_ramp": 1})")),
            identity_of(recipe_of(R"({"optimizer": "sgd"})")));
}

TEST(Recipe, RatesMayChangeAtACheckpointAndTheKindOfOptimizerMayNot) {
  const auto lasting = [](const std::string& params) {
    return lasting_part(identity_of(recipe_of(params)).dump());
  };
  const std::string plain = lasting(R"({"optimizer": "sgd"})");
  EXPECT_EQ(lasting(R"({"optimizer": "sgd", "lr": 0.3, "momentum": 0.5, "clip_norm": 2})"), plain);
  EXPECT_EQ(lasting(R"({"optimizer": "sgd", "schedule": "linear", "batch_size": 17})"), plain);
  EXPECT_NE(lasting(R"({"optimizer": "adamw"})"), plain);
}

TEST(Recipe, TextsOfOtherTrainersLastAsAWhole) {
  for (const char* text : {"", "a text", "[1]", "{}", R"({"optimizer": "sgd", "batch_size": 3})",
                           R"({"optimizer": [], "batch_size": 3})"}) {
    EXPECT_EQ(lasting_part(text), text);
  }
}

}  // namespace
}  // namespace betatune::engine
