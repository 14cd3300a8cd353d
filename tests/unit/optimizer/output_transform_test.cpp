#include "optimizer/gp/output_transform.hpp"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune {
namespace {

/// Losses over many orders of magnitude, the lowest first.
Eigen::VectorXd heavy_tailed(Eigen::Index n) {
  Stream stream(root_key(3));
  Eigen::VectorXd losses(n);
  for (double& each : losses) each = std::exp(2 * stream.normal());
  std::sort(losses.begin(), losses.end());
  return losses;
}

TEST(OutputTransform, StandardizesAndCutsWhatIsFarAbove) {
  Eigen::VectorXd losses(8);
  losses << 1, 2, 3, 4, 5, 6, 7, 1e9;
  const Eigen::VectorXd y = transform_outputs(losses).y;

  EXPECT_NEAR(y.mean(), 0, 1e-12);
  EXPECT_NEAR(y.squaredNorm() / 8, 1, 1e-12);
  EXPECT_GT(y[7], y[6]);
  EXPECT_GT(y[1] - y[0], 0.1) << "the outlier does not flatten the others";
}

TEST(OutputTransform, KeepsTheOrder) {
  const Eigen::VectorXd losses = heavy_tailed(40);
  for (const double shift : {0.0, 1.0, 0.1, 0.001}) {
    const Eigen::VectorXd y = transform_outputs(losses, {shift}).y;
    EXPECT_TRUE(std::is_sorted(y.begin(), y.end())) << shift;
    EXPECT_LT(y[0], y[1]) << shift;
  }
}

TEST(OutputTransform, ShiftingAndScalingTheLossesChangesNothing) {
  const Eigen::VectorXd losses = heavy_tailed(30);
  for (const double shift : {0.0, 0.1}) {
    const Eigen::VectorXd y = transform_outputs(losses, {shift}).y;
    const Eigen::VectorXd moved = transform_outputs((1e5 * losses).array() - 3e4, {shift}).y;
    EXPECT_LT((y - moved).cwiseAbs().maxCoeff(), 1e-9) << shift;
  }
}

TEST(OutputTransform, SlopeAtTheBestIsThatOfItsOutput) {
  // Far from the middle of many losses: moving one by so little leaves the others' outputs alone,
  // but for their mean and variance, which the lowest of 2,000 hardly moves.
  const Eigen::VectorXd losses = heavy_tailed(2000);
  for (const double shift : {0.0, 0.1}) {
    // The lowest itself is the origin of the logarithms, so its neighbour is moved.
    const Outputs out = transform_outputs(losses, {shift});
    const double slope = (out.y[1] - out.y[0]) / (losses[1] - losses[0]);
    EXPECT_NEAR(out.slope_at_best / slope, 1, 0.05) << shift;
  }
}

TEST(OutputTransform, LogSlopeComparesDensitiesOfTheLosses) {
  // Log-normal losses are normal in logarithms. What the outputs' normal density says of the losses
  // themselves must prefer these to a power of at least -1.
  const Eigen::VectorXd losses = heavy_tailed(200);
  const auto log_density = [&](double shift) {
    const Outputs out = transform_outputs(losses, {shift});
    return -0.5 * out.y.squaredNorm() + out.log_slope;
  };
  EXPECT_GT(log_density(0.1), log_density(1.0));
  Eigen::VectorXd normal(200);
  Stream stream(root_key(4));
  for (double& each : normal) each = stream.normal();
  const Outputs power = transform_outputs(normal), logs = transform_outputs(normal, {0.01});
  EXPECT_GT(power.log_slope, logs.log_slope);
}

TEST(OutputTransform, ConstantsAndHugeLossesStayFinite) {
  EXPECT_EQ(transform_outputs(Eigen::VectorXd::Constant(5, 3.0)).y.norm(), 0);
  EXPECT_EQ(transform_outputs(Eigen::VectorXd::Constant(5, 3.0), {0.1}).y.norm(), 0);
  Eigen::VectorXd losses(3);
  losses << 1.7e308, -1.7e308, 1e300;
  for (const double shift : {0.0, 0.1}) {
    const Eigen::VectorXd y = transform_outputs(losses, {shift}).y;
    EXPECT_TRUE(y.allFinite());
    EXPECT_EQ(y.minCoeff(), y[1]);
  }
  EXPECT_TRUE(transform_outputs(Eigen::VectorXd::Constant(1, 1e300)).y.allFinite());
}

}  // namespace
}  // namespace betatune
