// What is shown of a curve's future is what the searchers' model says, and nothing that nobody has
// taught it.

#include "optimizer/expected_curve.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/curves/curve_model.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;
using testing::ElementsAre;
using testing::IsEmpty;

/// Curves that fall as 1 / step towards their own end.
class ExpectedCurve : public ::testing::Test {
 protected:
  ExpectedCurve() : study_({real("x", 0, 1)}) {
    study_.spec().fidelity = FidelitySpec{"epoch", 1, 27, true};
  }
  TrialId add(double x, Step until) {
    Trial& trial = study_.add({{"x", x}}, "test", TrialState::paused);
    for (Step step = 1; step <= until; ++step) {
      trial.observations.push_back(
          {step, AttemptId{1}, x + 1 / static_cast<double>(step), false, 0});
    }
    return trial.id;
  }
  std::vector<ExpectedPoint> expected(TrialId trial) {
    return expected_curve(study_.spec(), study_.history().trials, trial);
  }
  static std::vector<Step> steps(const std::vector<ExpectedPoint>& points) {
    std::vector<Step> all;
    for (const ExpectedPoint& each : points) all.push_back(each.step);
    return all;
  }

  HistoryBuilder study_;
};

TEST_F(ExpectedCurve, GoesOnFromTheLastLevelToTheEnd) {
  for (int i = 0; i < 8; ++i) add(0.1 * i, 27);
  const TrialId half = add(0.35, 4);

  const std::vector<ExpectedPoint> points = expected(half);

  EXPECT_THAT(steps(points), ElementsAre(9, 27)) << "step 4 is past 3";
  for (const ExpectedPoint& each : points) {
    EXPECT_LT(each.loss_low, each.loss);
    EXPECT_GT(each.loss_high, each.loss);
    EXPECT_EQ(each.trials, 8);
  }
  EXPECT_NEAR(points[1].loss, 0.35 + 1.0 / 27, 0.05) << "its neighbours end there";
}

TEST_F(ExpectedCurve, IsWhatTheSearchersTakeTheTrialFor) {
  for (int i = 0; i < 6; ++i) add(0.15 * i, 27);
  const TrialId half = add(0.35, 3);
  EncodedTrials encoded;
  const CurveTable table =
      curve_table(study_.space(), *study_.spec().fidelity, study_.history().trials, encoded);
  const CurveModel model(FeatureMap(study_.space().columns()), table);
  const CurveBeliefs ends = model.of_rows();

  const ExpectedPoint last = expected(half).back();

  EXPECT_EQ(last.loss, model.scale().loss_of(ends.mean[6]));
  EXPECT_EQ(last.loss_high, model.scale().loss_of(ends.mean[6] + std::sqrt(ends.variance[6])));
}

TEST_F(ExpectedCurve, EndsWhereNobodyHasBeen) {
  for (int i = 0; i < 5; ++i) add(0.1 * i, 9);
  const TrialId half = add(0.35, 1);

  EXPECT_THAT(steps(expected(half)), ElementsAre(3, 9));
  EXPECT_THAT(expected(TrialId{0}), IsEmpty());
}

TEST_F(ExpectedCurve, IsNoneOfTrialsThatHaveNoFuture) {
  for (int i = 0; i < 5; ++i) add(0.1 * i, 27);
  const TrialId failed = add(0.3, 3);
  study_.edit().trials.edit(failed).outcome = Outcome::failed;
  const TrialId silent = add(0.3, 0);

  EXPECT_THAT(expected(TrialId{2}), IsEmpty()) << "it was trained to the end";
  EXPECT_THAT(expected(failed), IsEmpty());
  EXPECT_THAT(expected(silent), IsEmpty());
}

TEST_F(ExpectedCurve, IsNoneWhereCurvesAreNotModelled) {
  for (int i = 0; i < 5; ++i) add(0.1 * i, 27);
  const TrialId half = add(0.3, 3);
  ASSERT_FALSE(expected(half).empty());

  study_.spec().objectives = {{"loss", Goal::minimize, {}, {}}, {"cost", Goal::minimize, {}, {}}};
  EXPECT_THAT(expected(half), IsEmpty());
}

}  // namespace
}  // namespace betatune
