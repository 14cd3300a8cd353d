// The CMA-ES against another implementation: tests/golden/cmaes/make_golden.py.

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "optimizer/cmaes/distribution.hpp"

namespace betatune {
namespace {

Eigen::VectorXd vector_of(const nlohmann::json& values) {
  Eigen::VectorXd out(std::ssize(values));
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    out[i] = values[static_cast<std::size_t>(i)].get<double>();
  }
  return out;
}

RowMatrix matrix_of(const nlohmann::json& rows) {
  RowMatrix out(std::ssize(rows), std::ssize(rows[0]));
  for (Eigen::Index i = 0; i < out.rows(); ++i) {
    out.row(i) = vector_of(rows[static_cast<std::size_t>(i)]).transpose();
  }
  return out;
}

TEST(GoldenCma, GenerationsMoveTheDistributionAsInCmaes) {
  std::ifstream file(std::string(BETATUNE_SOURCE_DIR) + "/tests/golden/cmaes/cma.json");
  ASSERT_TRUE(file);
  for (const nlohmann::json& expected : nlohmann::json::parse(file)) {
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
