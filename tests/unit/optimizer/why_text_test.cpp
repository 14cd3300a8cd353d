// What people read of the scheduler's decisions, where the numbers alone would mislead.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/cli/decision_text.hpp"

namespace betatune {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string told(const RungDecision& decision, const Objective& objective = {}) {
  return decisions_text({{decision}, std::nullopt}, objective);
}

RungDecision went_on(double log_worth, double log_worth_new, std::optional<double> rival) {
  ModelBasis basis{0.5, 0.4, 0.6, 0.3, log_worth, log_worth_new};
  if (rival) basis.rival = ModelBasis::Rival{TrialId{7}, *rival, {}};
  return {
      .trial = TrialId{3}, .verdict = RungVerdict::went_on, .step = 1, .basis = basis, .until = 3};
}

TEST(DecisionText, SaysWhyATrialGoesOnThatPromisesLess) {
  constexpr const char* kWhy = "no new trial could begin";

  EXPECT_THAT(told(went_on(-2, -3, -4)), Not(HasSubstr(kWhy)));
  EXPECT_THAT(told(went_on(-2, -1, -4)), HasSubstr(kWhy));
  EXPECT_THAT(told(went_on(-2, -3, -1)), HasSubstr(kWhy));
  EXPECT_THAT(told(went_on(-2, -3, std::nullopt)), Not(HasSubstr(kWhy)));
}

TEST(DecisionText, SaysThatLimitsAreBrokenInsteadOfAnInfiniteLoss) {
  constexpr double kBroken = std::numeric_limits<double>::infinity();
  RungDecision stopped{.trial = TrialId{3}, .verdict = RungVerdict::stopped, .step = 1};
  stopped.basis = MedianBasis{kBroken, 0.25, 5};

  EXPECT_THAT(told(stopped),
              HasSubstr("its best (breaks outcome constraints), the median of 5 trials 0.25"));
  EXPECT_EQ(Json::parse(decision_json(stopped, {}).dump()).at("basis").at("best"), nullptr);
}

}  // namespace
}  // namespace betatune
