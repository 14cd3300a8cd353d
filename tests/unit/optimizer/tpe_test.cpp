#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/numerics/exp_of_negative.hpp"
#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/tpe/kernels.hpp"
#include "optimizer/tpe/model.hpp"
#include "tests/support/history_builder.hpp"
#include "tests/support/numbers.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

constexpr double kHuge = std::numeric_limits<double>::max();

std::vector<double> uniforms(std::size_t n, std::uint64_t seed) {
  Stream stream(root_key(seed));
  std::vector<double> out(n);
  for (double& each : out) each = stream.uniform();
  return out;
}

TEST(ExpOfNegative, IsTheLibrarysToRounding) {
  for (double x = 0; x > -699; x = x * 1.01 - 1e-3) {
    ASSERT_NEAR(exp_of_negative(x) / std::exp(x), 1, 1e-14) << x;
  }
  EXPECT_EQ(exp_of_negative(-1e300), exp_of_negative(-700));
}

TEST(NormalQuantile, EndsAreInfinite) {
  EXPECT_EQ(normal_quantile(0), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(normal_quantile(1), std::numeric_limits<double>::infinity());
  EXPECT_EQ(normal_quantile(0.5), 0);
}

TEST(NormalMass, KeepsItsDigitsInTheUpperTail) {
  EXPECT_NEAR(normal_mass(9, 10) / normal_mass(-10, -9), 1, 1e-14);
  EXPECT_GT(normal_mass(30, 31), 0);
}

TEST(ParzenKernels, EveryVectorWidthGivesTheSameBits) {
  for (const std::size_t n : {1u, 7u, 8u, 9u, 64u, 1003u}) {
    const std::vector<double> centres = uniforms(n, 1), factors = uniforms(n, 2);
    const auto results = [&](dense::Width width) {
      std::vector<double> out = uniforms(n, 3);
      kernels::subtract_squares(0.3, centres.data(), factors.data(), n, out.data(), width);
      kernels::add_matches(centres[n / 2], -0.2, -1.7, centres.data(), n, out.data(), width);
      out.push_back(kernels::log_sum_exp(out.data(), n, width));
      return out;
    };
    const std::vector<double> narrow = results(dense::Width::narrow);
    for (const dense::Width width : {dense::Width::avx2, dense::Width::avx512}) {
      if (width > dense::machine_width()) continue;
      EXPECT_EQ(results(width), narrow) << n;
    }
  }
}

TEST(ParzenKernels, LogSumExpIsTheFormulaHoweverSmallTheTerms) {
  for (const double shift : {0.0, -5e3, 5e3}) {
    for (const std::size_t n : {1u, 8u, 13u, 100u}) {
      std::vector<double> values = uniforms(n, 4);
      double sum = 0;
      for (double& each : values) {
        each *= -40;
        sum += std::exp(each);
        each += shift;
      }
      EXPECT_NEAR(kernels::log_sum_exp(values.data(), n), shift + std::log(sum), 1e-11);
    }
  }
}

TEST(NeighbourWidths, AreTheDistancesToTheFartherNeighbour) {
  const std::vector<double> widths = neighbour_widths({0.9, 0.1, 0.3, 0.31}, 0.05);

  EXPECT_DOUBLE_EQ(widths[0], 0.59);  // to 0.31
  EXPECT_DOUBLE_EQ(widths[1], 0.2);   // to 0.3; the end is nearer
  EXPECT_DOUBLE_EQ(widths[2], 0.2);
  EXPECT_DOUBLE_EQ(widths[3], 0.59);
  EXPECT_EQ(neighbour_widths({0.5, 0.5, 0.5, 0.5, 0.51}, 0.2)[2], 0.2);
}

Observations observed(const std::vector<double>& losses) {
  Observations out;
  out.losses = Eigen::Map<const Eigen::VectorXd>(losses.data(), std::ssize(losses));
  out.merits = out.losses;
  out.points = RowMatrix::Zero(std::ssize(losses), 1);
  for (std::size_t i = 0; i < losses.size(); ++i) out.trials.push_back(i);
  return out;
}

TEST(TpeSplit, TheLowestAreTheBetterAndFailuresNever) {
  const Split parts = split(observed({5, kNan, 1, 4, 3, kNan, 2, 6}), 0.3, 25);

  ASSERT_EQ(parts.better.size(), 3u);  // 0.3 * 8, rounded up
  EXPECT_EQ(parts.better[0].row, 2);
  EXPECT_EQ(parts.better[1].row, 4);
  EXPECT_EQ(parts.better[2].row, 6);
  EXPECT_EQ(parts.worse, (std::vector<Eigen::Index>{0, 1, 3, 5, 7}));
  EXPECT_DOUBLE_EQ(parts.better[0].weight, 1);        // 4 - 1, the most
  EXPECT_DOUBLE_EQ(parts.better[2].weight, 2.0 / 3);  // 4 - 2
}

TEST(TpeSplit, WeightsStayPositiveAndFinite) {
  for (const auto& losses : {std::vector<double>{1, 1, 1, 1},
                             {-kHuge, 0, kHuge, kHuge},
                             {kNan, 3, kNan, kNan},
                             {0, 0, 0, 7}}) {
    const Split parts = split(observed(losses), 0.5, 25);
    ASSERT_FALSE(parts.better.empty());
    for (const Split::Better& each : parts.better) {
      EXPECT_GT(each.weight, 0);
      EXPECT_LE(each.weight, 1);
    }
  }
}

TEST(TpeSplit, NoMoreThanTheMostAreBetter) {
  EXPECT_EQ(split(observed(uniforms(1000, 6)), 0.15, 25).better.size(), 25u);
}

SearchSpace conditional_space() {
  return HistoryBuilder({real("z", 0, 1), choice("kind", {Value{"x"}, Value{"y"}}),
                         when(real("a", 0, 1), "kind == x"), when(real("b", 0, 1), "kind == x"),
                         when(real("c", 0, 1), "kind == y")})
      .space();
}

TEST(ColumnGroups, ColumnsWithOneConditionBelongTogether) {
  using Groups = std::vector<std::vector<std::size_t>>;
  const SearchSpace space = conditional_space();

  EXPECT_EQ(column_groups(space, true, true), (Groups{{1, 0}, {2, 3}, {4}}));
  EXPECT_EQ(column_groups(space, true, false), (Groups{{1, 0}, {2}, {3}, {4}}));
  EXPECT_EQ(column_groups(space, false, true), (Groups{{2}, {3}, {4}, {1}, {0}}));
}

/// Forty points of which those near 0.2 are good.
Observations bowl() {
  Observations out = observed(uniforms(40, 8));
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    out.points(i, 0) = out.losses[i];
    out.losses[i] = out.merits[i] = std::abs(out.losses[i] - 0.2);
  }
  return out;
}

TEST(TpeModel, CandidatesAreWhereTheGoodResultsAre) {
  TpeModel model(HistoryBuilder({real("x", 0, 1)}).space(), {});
  model.begin(bowl());

  const auto candidates = model.propose(root_key(1));

  ASSERT_EQ(candidates.size(), 24u);
  EXPECT_NEAR(candidates.front().point[0], 0.2, 0.1);
  EXPECT_TRUE(
      std::is_sorted(candidates.begin(), candidates.end(),
                     [](const auto& a, const auto& b) { return a.log_ratio > b.log_ratio; }));
}

TEST(TpeModel, WhatIsPendingMakesItsNeighbourhoodLessLikely) {
  const SearchSpace space = HistoryBuilder({real("x", 0, 1)}).space();
  TpeModel model(space, {});
  model.begin(bowl());
  const auto alone = model.propose(root_key(1));
  for (int i = 0; i < 4; ++i) model.pend(alone.front().point);

  const auto beside = model.propose(root_key(1));

  // The good results are the same, and so are the draws: only their values have changed.
  double before = 0, after = 0;
  for (const auto& each : alone) before = std::max(before, each.log_ratio);
  for (const auto& each : beside) after = std::max(after, each.log_ratio);
  EXPECT_LT(after, before);
}

}  // namespace
}  // namespace betatune
