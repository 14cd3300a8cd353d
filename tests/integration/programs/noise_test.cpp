// Noisy trainings: repeats and the confirmation of the best, as a user sees them.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using ::testing::HasSubstr;

/// The loss is x and some noise that the seed gives.
constexpr const char* kNoisy =
    "awk -v x=\"$BETATUNE_PARAM_X\" -v s=\"$BETATUNE_SEED\" 'BEGIN { srand(s % 1000000);"
    " printf \"{\\\"loss\\\": %.17g}\\n\", x + 0.2 * rand() }'\n";

class NoiseRun : public support::UserStudy {};

TEST_F(NoiseRun, EveryConfigurationIsTrainedSeveralTimesAndTheMeanIsShown) {
  write(9, kNoisy, "noise: {repeats: 3}\n");

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the mean of 3 trainings"));
  const Json trials = json("betatune trials study.yaml --json").at("trials");
  ASSERT_EQ(trials.size(), 9u);
  for (std::size_t i = 0; i < 9; ++i) {
    const Json& first = trials[i - i % 3];
    EXPECT_EQ(trials[i].at("params"), first.at("params"));
    EXPECT_EQ(trials[i].at("repeats"), i % 3 == 0 ? Json(nullptr) : first.at("id"));
    if (i % 3 != 0) {
      EXPECT_NE(trials[i].at("loss"), first.at("loss")) << "the seeds are the same";
    }
  }
  const Json best = json("betatune best study.yaml --json").at("best");
  EXPECT_EQ(best.at("result").at("trainings"), 3);
  EXPECT_EQ(best.at("result").at("confirmed"), false);
  double sum = 0;
  const auto id = best.at("id").get<std::size_t>();
  for (std::size_t i = 0; i < 3; ++i) sum += trials.at(id + i).at("loss").get<double>();
  EXPECT_NEAR(best.at("result").at("value").get<double>(), sum / 3, 1e-12);
  EXPECT_THAT(type("betatune explain study.yaml 1").out, HasSubstr("a repeat of trial 0"));
}

TEST_F(NoiseRun, TheBestAreConfirmedBeyondTheBudget) {
  write(6, kNoisy, "noise: {confirm_best: {top: 2, seeds: 3}}\n");

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("the mean of 3 trainings made to confirm it"));
  const Json trials = json("betatune trials study.yaml --json").at("trials");
  EXPECT_EQ(trials.size(), 12u);
  const Json best = json("betatune best study.yaml --json").at("best");
  EXPECT_EQ(best.at("result").at("confirmed"), true);
  EXPECT_THAT(type("betatune best study.yaml").out, HasSubstr("made to confirm it"));
  EXPECT_THAT(type("betatune status study.yaml").out, HasSubstr("6 of 6"));
  EXPECT_THAT(type("betatune run study.yaml").err, HasSubstr("finished"));
  EXPECT_THAT(type("betatune replay study.yaml --verify").out, HasSubstr("6"));
}

TEST_F(NoiseRun, AStudyThatIsFinishedConfirmsWhenItsFileSaysSo) {
  write(4, kNoisy);
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  write(4, kNoisy, "noise: {confirm_best: {top: 1, seeds: 2}}\n");

  const Ended ran = type("betatune run study.yaml --accept-changes");

  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(json("betatune trials study.yaml --json").at("trials").size(), 6u);
}

}  // namespace
}  // namespace betatune
