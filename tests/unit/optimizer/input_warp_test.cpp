#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/gp/marginal_likelihood.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/numbers.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

/// A number, a conditional number (active in every second point) and a choice.
std::vector<Column> three_columns() {
  std::vector<Column> columns(3);
  columns[1].conditional = true;
  columns[2].kind = Column::Kind::categorical;
  columns[2].levels = 2;
  return columns;
}

RowMatrix three_points(Eigen::Index n) {
  Stream stream(root_key(4));
  RowMatrix out(n, 3);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double active = stream.uniform();
    out.row(i) << stream.uniform(), i % 2 == 0 ? active : kNan,
        0.25 + 0.5 * static_cast<double>(i % 3 == 0);
  }
  return out;
}

TEST(InputWarp, IsADistributionFunctionAndPlainLeavesEveryBit) {
  EXPECT_EQ(InputWarp{}.value(0.1234567), 0.1234567);
  EXPECT_EQ(InputWarp{}.slope(0.3), 1);
  for (const InputWarp warp : {InputWarp{0.3, 1}, {4, 1}, {1, 5}, {0.5, 0.5}, {3, 2}}) {
    EXPECT_NEAR(warp.value(0), 0, 0.02);
    EXPECT_NEAR(warp.value(1), 1, 0.02);
    double before = -1;
    for (double x = 0; x <= 1; x += 0.05) {
      EXPECT_GT(warp.value(x), before);
      before = warp.value(x);
      EXPECT_TRUE(std::isfinite(warp.slope(x)));
    }
  }
  // 1 - (1 - 0.5^2)^3, but for the margin at the ends.
  EXPECT_NEAR((InputWarp{2, 3}.value(0.5)), 0.578125, 1e-9);
}

TEST(InputWarp, IsTheFormulaWhateverTheVectorWidth) {
  const InputWarp warp{0.4, 2.5};
  std::vector<double> x;
  for (int i = 0; i <= 100; ++i) x.push_back(0.01 * i);
  const auto all = [&](dense::Width width) {
    std::vector<double> value(x.size()), slope(x.size()), by_a(x.size()), by_b(x.size());
    warp.values(x.data(), x.size(), value.data(), width);
    warp.slopes(x.data(), x.size(), slope.data(), width);
    warp.slopes_by_logs(x.data(), x.size(), by_a.data(), by_b.data(), width);
    return std::vector{value, slope, by_a, by_b};
  };
  const std::vector<std::vector<double>> narrow = all(dense::Width::narrow);
  for (std::size_t i = 1; i + 1 < x.size(); ++i) {
    const double t = 1e-6 + (1 - 2e-6) * x[i];
    EXPECT_NEAR(narrow[0][i], 1 - std::pow(1 - std::pow(t, warp.a), warp.b), 1e-14);
  }
  for (const dense::Width width : {dense::Width::avx2, dense::Width::avx512}) {
    if (width <= dense::machine_width()) {
      EXPECT_EQ(all(width), narrow);
    }
  }
}

TEST(InputWarp, SlopesAreThoseOfItsValue) {
  for (const InputWarp warp : {InputWarp{0.3, 1.5}, {4, 0.7}}) {
    for (const double x : {0.02, 0.4, 0.97}) {
      expect_gradient([&](const Eigen::VectorXd& at) { return warp.value(at[0]); },
                      Eigen::VectorXd::Constant(1, x), Eigen::VectorXd::Constant(1, warp.slope(x)));
      const auto by_logs = [&](const Eigen::VectorXd& logs) {
        return InputWarp{std::exp(logs[0]), std::exp(logs[1])}.value(x);
      };
      expect_gradient(by_logs, Eigen::Vector2d(std::log(warp.a), std::log(warp.b)),
                      warp.slope_by_logs(x));
    }
  }
}

TEST(InputWarp, LikelihoodsSlopeByTheWarpsIsThatOfItsValue) {
  const FeatureMap map(three_columns());
  const RowMatrix points = three_points(14);
  Stream stream(root_key(2));
  Eigen::VectorXd y(14);
  for (double& each : y) each = stream.normal();
  const Hyperparameters at{Eigen::Vector3d(0.4, 0.6, 0.9), 0.05, 1.3};
  const auto likelihood = [&](const Eigen::VectorXd& logs, RowMatrix* slopes) {
    const FeatureMap warped = map.warped(
        {{std::exp(logs[0]), std::exp(logs[1])}, {std::exp(logs[2]), std::exp(logs[3])}, {}});
    const RowMatrix features = warped.map(points);
    Eigen::VectorXd gradient;
    RowMatrix by_features;
    const double value =
        log_marginal_likelihood({warped, features}, y, at, &gradient, &by_features);
    if (slopes != nullptr) *slopes = warped.pull_back_to_warps(points, by_features);
    return value;
  };
  const Eigen::Vector4d logs(0.4, -0.3, -0.6, 0.2);
  RowMatrix slopes;
  likelihood(logs, &slopes);
  expect_gradient([&](const Eigen::VectorXd& x) { return likelihood(x, nullptr); }, logs,
                  Eigen::Vector4d(slopes(0, 0), slopes(1, 0), slopes(0, 1), slopes(1, 1)));
  EXPECT_EQ(slopes.col(2).norm(), 0);
}

TEST(InputWarp, GradientsByPointsGoThroughTheWarp) {
  const FeatureMap map =
      FeatureMap(three_columns()).warped({InputWarp{0.5, 1.5}, InputWarp{2, 0.8}, {}});
  const RowMatrix points = three_points(4);
  const RowMatrix weights = RowMatrix::Random(map.size(), 4);
  const RowMatrix back = map.pull_back(points, weights);
  for (Eigen::Index i = 0; i < 4; ++i) {
    const auto f = [&](const Eigen::VectorXd& moved) {
      RowMatrix point = points.row(i);
      point(0, 0) = moved[0];
      return map.map(point).col(0).dot(weights.col(i));
    };
    expect_gradient(f, points.row(i).head(1).transpose(), back.row(i).head(1).transpose());
  }
}

TEST(InputWarp, IsFoundWhereTheScaleIsWrong) {
  // Fast near 0, flat elsewhere: a logarithm that nobody wrote down.
  const Eigen::Index n = 40;
  RowMatrix points(n, 1);
  Eigen::VectorXd y(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    points(i, 0) = std::pow((static_cast<double>(i) + 0.5) / static_cast<double>(n), 2);
    y[i] = std::sin(7 * std::pow(points(i, 0), 0.3));
  }
  const FeatureMap map(std::vector<Column>(1));
  const RowMatrix features = map.map(points);
  const Training training{map, features};
  const Fit plain = fit_hyperparameters(training, y);
  const WarpedFit warped = fit_with_warps(training, points, y, plain, 1.5);
  EXPECT_GT(warped.fit.log_posterior, plain.log_posterior + 10);
  EXPECT_LT(warped.warps[0].a, 0.6);
}

}  // namespace
}  // namespace betatune
