#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/gp/log_ei.hpp"
#include "tests/support/gradient_check.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

RowMatrix places(Eigen::Index n, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(n, 2);
  for (double& each : out.reshaped()) each = stream.uniform();
  return out;
}

GaussianProcess model_with_lengthscale(double length) {
  GaussianProcess gp(FeatureMap(std::vector<Column>(2)),
                     {Eigen::VectorXd::Constant(2, length), 0.01, 1});
  gp.append(gp.map().map(places(10, 5)));
  Stream stream(root_key(6));
  Eigen::VectorXd y(10);
  for (double& each : y) each = stream.normal();
  gp.set_outputs(y);
  return gp;
}

class AcquisitionMeanTest : public testing::Test {
 protected:
  AcquisitionMean mean() const {
    std::vector<std::unique_ptr<const Acquisition>> parts;
    for (const GaussianProcess* each : {&short_, &long_}) {
      parts.push_back(std::make_unique<LogExpectedImprovement>(*each, -1));
    }
    return AcquisitionMean(std::move(parts));
  }
  GaussianProcess short_ = model_with_lengthscale(0.2), long_ = model_with_lengthscale(0.9);
};

TEST_F(AcquisitionMeanTest, IsOfImprovementsAndNotOfTheirLogarithms) {
  const RowMatrix points = places(30, 8);
  const Eigen::VectorXd a = LogExpectedImprovement(short_, -1).value(points, nullptr),
                        b = LogExpectedImprovement(long_, -1).value(points, nullptr),
                        both = mean().value(points, nullptr);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    EXPECT_NEAR(std::exp(both[i]), (std::exp(a[i]) + std::exp(b[i])) / 2, 1e-12) << i;
  }
}

TEST_F(AcquisitionMeanTest, GradientIsThatOfItsValue) {
  const RowMatrix points = places(6, 9);
  const AcquisitionMean acquisition = mean();
  RowMatrix gradient;
  EXPECT_EQ(acquisition.value(points, &gradient), acquisition.value(points, nullptr));
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const auto f = [&](const Eigen::VectorXd& moved) {
      return acquisition.value(moved.transpose(), nullptr)[0];
    };
    expect_gradient(f, points.row(i).transpose(), gradient.row(i).transpose());
  }
}

TEST_F(AcquisitionMeanTest, ScreeningIsNeverBelowTheExactValue) {
  const RowMatrix points = places(200, 10);
  EXPECT_GE((mean().bound(points) - mean().value(points, nullptr)).minCoeff(), -1e-12);
}

TEST_F(AcquisitionMeanTest, StaysFiniteWhereEveryImprovementUnderflows) {
  std::vector<std::unique_ptr<const Acquisition>> parts;
  for (const double best : {-300.0, -500.0}) {
    parts.push_back(std::make_unique<LogExpectedImprovement>(short_, best));
  }
  const AcquisitionMean far(std::move(parts));
  RowMatrix gradient;
  EXPECT_TRUE(far.value(places(20, 11), &gradient).allFinite());
  EXPECT_TRUE(gradient.allFinite());
}

}  // namespace
}  // namespace betatune
