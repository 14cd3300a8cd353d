// A study with a limit on a reported metric, from its file to `best`, as a user runs it.

#include <gmock/gmock.h>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using ::testing::HasSubstr;
using ::testing::Not;

/// The loss is 1 - x, the memory 100 x.
constexpr const char* kTrades =
    "awk -v x=\"$BETATUNE_PARAM_X\" 'BEGIN { printf \"{\\\"loss\\\": %.17g, \\\"mem\\\": "
    "%.17g}\\n\","
    " 1 - x, 100 * x }'\n";

class OutcomeConstraintsRun : public support::UserStudy {};

TEST_F(OutcomeConstraintsRun, TheBestTrialMeetsThem) {
  write(12, kTrades, "outcome_constraints: [\"mem <= 70\"]\n");

  const Ended checked = type("betatune check study.yaml");
  EXPECT_THAT(checked.out, HasSubstr("mem <= 70"));
  const Ended ran = type("betatune run study.yaml");
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("breaks mem <= 70"));

  const Json best = json("betatune best study.yaml --json").at("best");
  EXPECT_EQ(best.at("violation"), 0.0);
  EXPECT_LE(best.at("metrics").at("mem"), 70.0);
  EXPECT_TRUE(best.at("broken_limits").empty());
  const Json trials = json("betatune trials study.yaml --json --sort violation").at("trials");
  bool any_broken = false;
  for (const Json& each : trials) {
    const double mem = each.at("metrics").at("mem");
    EXPECT_EQ(each.at("violation") == 0.0, mem <= 70);
    EXPECT_EQ(each.at("broken_limits").size(), mem <= 70 ? 0u : 1u);
    any_broken = any_broken || mem > 70;
    if (mem <= 70) {
      EXPECT_GE(each.at("loss"), best.at("loss"));
    }
  }
  EXPECT_TRUE(any_broken) << "the seed must try both sides for this test to mean anything";
  EXPECT_THAT(type("betatune trials study.yaml").out, HasSubstr("breaks mem <= 70"));
  EXPECT_THAT(type("betatune status study.yaml").out, Not(HasSubstr("breaks")));
  EXPECT_THAT(type("betatune export csv study.yaml").out, HasSubstr(",violation,"));
}

TEST_F(OutcomeConstraintsRun, WithoutATrialThatMeetsThemTheLeastBrokenIsShownAsSuch) {
  write(3, kTrades, "outcome_constraints: [\"mem <= -1\"]\n");

  const Ended ran = type("betatune run study.yaml");

  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("no trial met the outcome constraints"));
  EXPECT_THAT(type("betatune best study.yaml").out, HasSubstr("breaks mem <= -1"));
  EXPECT_THAT(type("betatune status study.yaml").out, HasSubstr("breaks mem <= -1"));
  EXPECT_THAT(type("betatune show study.yaml 0").out, HasSubstr("breaks mem <= -1"));
}

TEST_F(OutcomeConstraintsRun, ATrainerThatDoesNotReportTheMetricIsTold) {
  write(2, support::kReports, "outcome_constraints: [\"mem <= 70\"]\n");

  type("betatune run study.yaml");

  const Json trial = json("betatune show study.yaml 0 --json");
  EXPECT_EQ(trial.at("outcome"), "failed");
  EXPECT_THAT(trial.at("message").get<std::string>(), HasSubstr("without reporting `mem`"));
}

}  // namespace
}  // namespace betatune
