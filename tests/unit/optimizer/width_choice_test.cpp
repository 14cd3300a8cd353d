/// How many ranks an attempt gets, and what that is decided by.

#include "optimizer/width_choice.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

WidthsSpec widths_of(std::vector<int> choices) {
  WidthsSpec widths;
  widths.choices = std::move(choices);
  return widths;
}

/// Trial `id` trains a step with each of these numbers of ranks, at these rates.
void train(WidthRates& rates, std::uint64_t id, std::vector<std::pair<int, double>> attempts) {
  for (const auto& [ranks, rate] : attempts) {
    rates.report(TrialId{id}, ranks, 1, rate);
    rates.end_attempt(TrialId{id}, ranks);
  }
}

TEST(WidthRates, CompareATrialWithItselfAlone) {
  WidthRates rates;
  train(rates, 0, {{1, 100}, {2, 180}});
  train(rates, 1, {{1, 10}, {2, 16}});
  train(rates, 2, {{2, 1e6}});

  const auto points = pooled_speedups(rates.pairs());

  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[1].ranks, 2);
  EXPECT_DOUBLE_EQ(points[1].speedup, std::sqrt(1.8 * 1.6)) << "the geometric mean of the two";
}

TEST(WidthRates, JoinWidthsByTheTrialsThatHadBoth) {
  WidthRates rates;
  train(rates, 0, {{1, 100}, {2, 200}});
  train(rates, 1, {{2, 10}, {4, 15}});
  train(rates, 2, {{16, 1}, {32, 2}});

  const auto points = pooled_speedups(rates.pairs());

  ASSERT_EQ(points.size(), 3u) << "nobody had 16 and any of the others";
  EXPECT_EQ(points[2].ranks, 4);
  EXPECT_NEAR(points[2].speedup, 3, 1e-12);
}

/// Where three pairs contradict each other, least squares: ln 2, ln 2 and ln 2 (not ln 4) of 1-2,
/// 2-4 and 1-4 leave a third of the difference in each pair.
TEST(WidthRates, SpreadWhatDoesNotAgree) {
  WidthRates rates;
  train(rates, 0, {{1, 100}, {2, 200}});
  train(rates, 1, {{2, 100}, {4, 200}});
  train(rates, 2, {{1, 100}, {4, 200}});

  const auto points = pooled_speedups(rates.pairs());

  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(std::log(points[1].speedup), std::log(2) * 2 / 3, 1e-12);
  EXPECT_NEAR(std::log(points[2].speedup), std::log(2) * 4 / 3, 1e-12);
}

TEST(WidthRates, AddUpTimesOfStepsAndNotRates) {
  WidthRates rates;
  rates.report(TrialId{0}, 1, 3, 100);
  rates.report(TrialId{0}, 1, 1, 25);
  rates.end_attempt(TrialId{0}, 1);
  train(rates, 0, {{2, 100}});

  const ComparedWidths& pair = rates.pairs().at({1, 2});
  // 0.03 + 0.04 s for a sample of each of 4 steps.
  EXPECT_NEAR(pair.log_ratio, std::log(100 / (4 / 0.07)), 1e-12);
}

TEST(WidthRates, CountATrialOnceAndNotWhatIsNoRate) {
  WidthRates rates;
  train(rates, 0, {{1, 100}, {2, 180}, {2, 90}, {1, 50}});
  rates.report(TrialId{1}, 1, 1, 0);
  rates.report(TrialId{1}, 1, 0, 100);
  rates.report(TrialId{1}, 1, 1, std::nan(""));
  rates.end_attempt(TrialId{1}, 1);
  train(rates, 1, {{2, 100}});

  ASSERT_EQ(rates.pairs().size(), 1u);
  EXPECT_EQ(rates.pairs().at({1, 2}).trials, 1);
  EXPECT_DOUBLE_EQ(rates.pairs().at({1, 2}).log_ratio, std::log(1.8));
}

TEST(WidthRates, CompareMoreRanksWithFewerInWhicheverOrder) {
  WidthRates rates;
  train(rates, 0, {{4, 300}, {1, 100}});

  EXPECT_DOUBLE_EQ(rates.pairs().at({1, 4}).log_ratio, std::log(3.0));
}

TEST(ScalingCurve, IsThePriorUntilEnoughTrialsHadTwoWidths) {
  const WidthsSpec widths = widths_of({1, 2, 4});
  WidthRates rates;
  train(rates, 0, {{1, 100}, {2, 110}});
  train(rates, 1, {{1, 100}, {2, 110}});
  EXPECT_FALSE(ScalingCurve(widths, rates).is_measured());
  EXPECT_DOUBLE_EQ(ScalingCurve(widths, rates).speedup(4), 4 / (1 + 3 * kPriorSerial));

  train(rates, 2, {{1, 100}, {2, 110}});

  const ScalingCurve curve(widths, rates);
  EXPECT_TRUE(curve.is_measured());
  EXPECT_NEAR(curve.speedup(2), 1.1, 1e-9);
}

TEST(ScalingCurve, IsRelativeToTheNarrowestChoice) {
  const WidthsSpec widths = widths_of({2, 4});
  WidthRates rates;
  for (std::uint64_t id = 0; id < 3; ++id) train(rates, id, {{1, 100}, {2, 160}, {4, 240}});

  const ScalingCurve curve(widths, rates);

  EXPECT_DOUBLE_EQ(curve.speedup(2), 1);
  EXPECT_NEAR(curve.speedup(4), 1.5, 0.05);
}

TEST(WidthChoice, GivesEachRungItsChoice) {
  const WidthsSpec four = widths_of({1, 2, 4, 8});
  for (std::size_t rung = 0; rung < 4; ++rung) {
    EXPECT_EQ(width_of_rung(four, rung, 4), four.choices[rung]);
  }
  const WidthsSpec two = widths_of({1, 2});
  EXPECT_EQ(width_of_rung(two, 0, 4), 1);
  EXPECT_EQ(width_of_rung(two, 1, 4), 1);
  EXPECT_EQ(width_of_rung(two, 2, 4), 2);
  EXPECT_EQ(width_of_rung(two, 3, 4), 2);
  EXPECT_EQ(width_of_rung(four, 0, 2), 1);
  EXPECT_EQ(width_of_rung(four, 1, 2), 8);
}

TEST(WidthChoice, StopsWhereAFurtherRankAddsLessThanHalf) {
  const WidthsSpec widths = widths_of({1, 2, 4, 8});
  const auto widest = [&](double serial) {
    return efficient_width(widths, ScalingCurve(widths, ScalingFit{serial, 0, 0}));
  };
  EXPECT_EQ(widest(0), 8);
  // x / (1 + s (x - 1)). s = 0.1: 1, 1.82, 3.08, 4.71; the ranks 5 to 8 add 0.41 each.
  EXPECT_EQ(widest(0.1), 4);
  // 1, 1.67, 2.5: the ranks 3 and 4 add 0.42 each.
  EXPECT_EQ(widest(0.2), 2);
  EXPECT_EQ(widest(1), 1);
  // In units of the narrowest gang's ranks: 2 to 4 ranks, 1.67 times as fast.
  const WidthsSpec even = widths_of({2, 4, 8});
  EXPECT_EQ(efficient_width(even, ScalingCurve(even, ScalingFit{0.2, 0, 0})), 4);
}

TEST(WidthChoice, TakesWhatIsFreeAndWaitsForNothing) {
  const WidthsSpec widths = widths_of({1, 2, 4});
  const ScalingCurve curve(widths, ScalingFit{});
  const auto chosen = [&](Step until, int free) {
    return choose_width(widths, curve, {until, {1, 3, 9}, free});
  };
  EXPECT_EQ(chosen(1, 8), 1) << "the lowest rung";
  EXPECT_EQ(chosen(3, 8), 2);
  EXPECT_EQ(chosen(9, 8), 4);
  EXPECT_EQ(chosen(9, 3), 2);
  EXPECT_EQ(chosen(9, 1), 1);
  EXPECT_EQ(chosen(5, 8), 4) << "a goal between rungs is that of the rung above";
  EXPECT_EQ(chosen(20, 8), 4) << "the study was longer once";
}

}  // namespace
}  // namespace betatune
