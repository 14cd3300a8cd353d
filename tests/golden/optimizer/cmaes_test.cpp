// The CMA-ES against another implementation: tests/golden/cmaes/make_golden.py.

#include <gtest/gtest.h>

#include "optimizer/cmaes/distribution.hpp"
#include "tests/support/golden_json.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

TEST(GoldenCma, GenerationsMoveTheDistributionAsInCmaes) {
  for (const nlohmann::json& expected : golden_json("cmaes/cma.json")) {
    CmaDistribution ours(vector_of(expected["mean"]), expected["sigma"].get<double>());
    for (const nlohmann::json& each : expected["generations"]) {
      const RowMatrix points = matrix_of(each["points"]);
      ours.update(points, RowMatrix::Ones(points.rows(), points.cols()));

      // Rounding grows with the condition of the covariance and with the generations.
      const double sigma = each["sigma"].get<double>();
      EXPECT_NEAR(ours.sigma() / sigma, 1, 1e-8);
      EXPECT_LT((ours.mean() - vector_of(each["mean"])).norm(), 1e-8);
      const RowMatrix covariance = matrix_of(each["covariance"]);
      EXPECT_LT((ours.covariance() - covariance).norm(), 1e-8 * covariance.norm());
    }
  }
}

}  // namespace
}  // namespace betatune
