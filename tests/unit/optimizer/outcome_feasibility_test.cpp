#include "optimizer/gp/outcome_feasibility.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/gp/model.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

/// Slacks of the limit x <= 0.6 over [0, 1]^2, which a second coordinate bends a little.
double slack_at(double x, double y) {
  return x - 0.6 + 0.05 * std::sin(4 * y);
}

Samples samples(Eigen::Index n) {
  Stream stream(root_key(4));
  Samples out{{}, RowMatrix(n, 2), Eigen::VectorXd(n)};
  for (Eigen::Index i = 0; i < n; ++i) {
    out.trials.push_back(static_cast<std::size_t>(i));
    out.points.row(i) << stream.uniform(), stream.uniform();
    out.values[i] = slack_at(out.points(i, 0), out.points(i, 1));
  }
  return out;
}

class OutcomeFeasibilityTest : public ::testing::Test {
 protected:
  OutcomeFeasibility learn(Eigen::Index n) {
    GaussianProcess& gp = model_.condition(samples(n), 0);
    return OutcomeFeasibility({{&gp, model_.zero()}});
  }
  static RowMatrix point(double x, double y) {
    RowMatrix out(1, 2);
    out << x, y;
    return out;
  }

  std::vector<Column> columns_ = std::vector<Column>(2);
  GpModel model_{columns_, ModelOf::slacks};
};

TEST_F(OutcomeFeasibilityTest, IsTheProbabilityThatTheLimitIsMet) {
  const OutcomeFeasibility limits = learn(25);

  EXPECT_GT(std::exp(limits.value(point(0.3, 0.5), nullptr)[0]), 0.98);
  EXPECT_LT(std::exp(limits.value(point(0.9, 0.5), nullptr)[0]), 0.02);
  // On the border itself it is even: the transform keeps the sign of a slack.
  const double border = 0.6 - 0.05 * std::sin(2.0);
  EXPECT_GT(std::exp(limits.value(point(border + 0.03, 0.5), nullptr)[0]), 0.0);
  EXPECT_LT(std::exp(limits.value(point(border + 0.03, 0.5), nullptr)[0]), 0.5);
  EXPECT_GT(std::exp(limits.value(point(border - 0.03, 0.5), nullptr)[0]), 0.5);
  EXPECT_TRUE(limits.met_by_mean(point(0.3, 0.5))[0]);
  EXPECT_FALSE(limits.met_by_mean(point(0.9, 0.5))[0]);
}

TEST_F(OutcomeFeasibilityTest, HasTheGradientOfItsValue) {
  const OutcomeFeasibility limits = learn(8);
  for (const auto& [x, y] : {std::pair{0.2, 0.3}, {0.55, 0.9}, {0.95, 0.1}}) {
    RowMatrix gradient;
    limits.value(point(x, y), &gradient);
    const auto value = [&](const Eigen::VectorXd& at) {
      return limits.value(RowMatrix(at.transpose()), nullptr)[0];
    };
    expect_gradient(value, Eigen::Vector2d(x, y), gradient.row(0).transpose());
  }
}

TEST_F(OutcomeFeasibilityTest, ItsBoundIsNeverBelowItsValue) {
  const OutcomeFeasibility limits = learn(12);
  const RowMatrix points = RowMatrix::Random(300, 2).array() * 0.5 + 0.5;
  const Eigen::VectorXd values = limits.value(points, nullptr);
  const Eigen::VectorXd bounds = limits.bound(points);
  for (Eigen::Index i = 0; i < points.rows(); ++i) EXPECT_GE(bounds[i], values[i] - 1e-12);
}

TEST_F(OutcomeFeasibilityTest, APendingPointTakesTheDoubtAwayRoundIt) {
  OutcomeFeasibility limits = learn(6);
  RowMatrix there = point(0, 0);
  for (double x = 0.6; x > 0 && !limits.met_by_mean(there)[0]; x -= 0.01) there = point(x, 0.99);
  ASSERT_TRUE(limits.met_by_mean(there)[0]) << "just within the limit";
  const double before = limits.value(there, nullptr)[0];
  ASSERT_LT(before, -0.1) << "doubtful";

  limits.pend(there);

  EXPECT_GT(limits.value(there, nullptr)[0], before);
  EXPECT_TRUE(limits.met_by_mean(there)[0]);
}

TEST(SlackTransform, KeepsZeroApartAndTheOrder) {
  Eigen::VectorXd slacks(7);
  slacks << -1e9, -3, -0.1, 0, 0.1, 3, 1e9;

  const Outputs out = transform_slacks(slacks);

  for (Eigen::Index i = 1; i < slacks.size(); ++i) EXPECT_LT(out.y[i - 1], out.y[i]);
  EXPECT_DOUBLE_EQ(out.y[3], out.zero);
  EXPECT_NEAR(out.y.mean(), 0, 1e-12);
  EXPECT_NEAR(out.y.squaredNorm() / 7, 1, 1e-12);
}

TEST(SlackTransform, DoesNotDependOnTheUnit) {
  Eigen::VectorXd slacks(4);
  slacks << -2, 0.5, 1, 8;
  const Outputs a = transform_slacks(slacks), b = transform_slacks(1e12 * slacks);
  EXPECT_TRUE(a.y.isApprox(b.y, 1e-12));
  EXPECT_NEAR(a.zero, b.zero, 1e-12);
}

TEST(SlackTransform, EqualSlacksKeepTheirSign) {
  for (const double each : {-4.0, 0.0, 4.0}) {
    const Outputs out = transform_slacks(Eigen::VectorXd::Constant(3, each));
    EXPECT_TRUE(out.y.isZero());
    EXPECT_EQ(out.zero<0, each> 0);
    EXPECT_EQ(out.zero > 0, each < 0);
  }
}

}  // namespace
}  // namespace betatune
