#include "optimizer/curves/stopping_index.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace betatune {
namespace {

/// Mean of `f` over a normal distribution, by a fine sum.
template <class F>
double mean_over(double mean, double variance, const F& f) {
  if (variance == 0) return f(mean);
  constexpr int kCells = 140;
  constexpr double kFar = 7;
  double sum = 0, weights = 0;
  for (int i = 0; i < kCells; ++i) {
    const double z = kFar * (2 * (i + 0.5) / kCells - 1);
    const double weight = std::exp(-z * z / 2);
    sum += weight * f(mean + std::sqrt(variance) * z);
    weights += weight;
  }
  return sum / weights;
}

/// What going on is worth by the definition, stage by stage.
double net_value(double mean, std::span<const Stage> way, double best, double price) {
  const auto then = [&](double at) {
    if (way.size() == 1) return std::max(0.0, best - at);
    return std::max(0.0, net_value(at, way.subspan(1), best, price));
  };
  return mean_over(mean, way[0].revealed, then) - price * way[0].steps;
}

double expected_improvement(double mean, double variance, double best) {
  return mean_over(mean, variance, [&](double at) { return std::max(0.0, best - at); });
}

TEST(StoppingIndex, OfOneStageIsExpectedImprovementPerStep) {
  const std::array way = {Stage{0.04, 18}};

  EXPECT_NEAR(std::exp(log_stopping_index(1.1, way, 1)), expected_improvement(1.1, 0.04, 1) / 18,
              1e-5);
  EXPECT_DOUBLE_EQ(log_stopping_index(1.1, way, 1), log_stopping_index_bound(1.1, way, 1));
}

TEST(StoppingIndex, CountsAllStepsWhereTheFirstTellNothing) {
  const std::array way = {Stage{0, 2}, Stage{0, 6}, Stage{0.04, 18}};

  EXPECT_NEAR(log_stopping_index(1.1, way, 1),
              std::log(expected_improvement(1.1, 0.04, 1) / (2 + 6 + 18)), 0.01);
}

TEST(StoppingIndex, IsHigherTheEarlierTheEndIsKnown) {
  const std::array late = {Stage{0.005, 2}, Stage{0.005, 6}, Stage{0.03, 18}};
  const std::array even = {Stage{0.04 / 3, 2}, Stage{0.04 / 3, 6}, Stage{0.04 / 3, 18}};
  const std::array early = {Stage{0.03, 2}, Stage{0.005, 6}, Stage{0.005, 18}};

  EXPECT_LT(log_stopping_index(1.1, late, 1), log_stopping_index(1.1, even, 1));
  EXPECT_LT(log_stopping_index(1.1, even, 1), log_stopping_index(1.1, early, 1));
  EXPECT_LT(log_stopping_index(1.1, early, 1), log_stopping_index_bound(1.1, early, 1));
}

TEST(StoppingIndex, IsThePriceAtWhichGoingOnIsWorthNothing) {
  const std::vector<std::vector<Stage>> ways = {
      {{0.01, 1}, {0.04, 9}},
      {{0.02, 2}, {0.01, 6}, {0.01, 18}},
      {{0.0001, 2}, {0.03, 6}, {0.002, 18}},
  };
  for (const std::vector<Stage>& way : ways) {
    for (const double mean : {0.7, 0.95, 1.0, 1.1, 1.4}) {
      const double index = std::exp(log_stopping_index(mean, way, 1));

      EXPECT_GT(net_value(mean, way, 1, 0.96 * index), 0) << mean;
      EXPECT_LT(net_value(mean, way, 1, 1.04 * index), 0) << mean;
    }
  }
}

TEST(StoppingIndex, HasTheUnitOfTheLoss) {
  const std::array way = {Stage{0.01, 2}, Stage{0.02, 6}}, larger = {Stage{1, 2}, Stage{2, 6}};

  EXPECT_NEAR(log_stopping_index(11, larger, 10), std::log(10) + log_stopping_index(1.1, way, 1),
              1e-12);
}

TEST(StoppingIndex, IsFiniteForTheHopelessAndTheCertain) {
  const std::array way = {Stage{1e-4, 2}, Stage{1e-4, 6}}, known = {Stage{0, 2}, Stage{0, 6}};

  for (const double mean : {-1e6, 0.9, 1.0, 1.2, 5.0, 1e6}) {
    EXPECT_TRUE(std::isfinite(log_stopping_index(mean, way, 1))) << mean;
    EXPECT_TRUE(std::isfinite(log_stopping_index(mean, known, 1))) << mean;
    EXPECT_LE(log_stopping_index(mean, way, 1), log_stopping_index_bound(mean, way, 1)) << mean;
  }
  EXPECT_NEAR(std::exp(log_stopping_index(0.2, known, 1)), 0.8 / 8, 1e-3);
}

TEST(StoppingValue, IsThatOfGoingOnOrNothing) {
  const std::array way = {Stage{0.02, 2}, Stage{0.01, 6}, Stage{0.01, 18}};
  const double index = std::exp(log_stopping_index(1.05, way, 1));

  EXPECT_NEAR(stopping_value(1.05, way, 1, index / 2), net_value(1.05, way, 1, index / 2), 1e-3);
  EXPECT_GT(stopping_value(1.05, way, 1, index / 2), 0);
  EXPECT_EQ(stopping_value(1.05, way, 1, index * 1.1), 0);
}

}  // namespace
}  // namespace betatune
