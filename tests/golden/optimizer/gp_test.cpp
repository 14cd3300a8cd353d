// The Gaussian process against values that other programs computed: tests/golden/gp/make_golden.py.

#include <gtest/gtest.h>

#include "optimizer/gp/gaussian_process.hpp"
#include "optimizer/numerics/normal.hpp"
#include "optimizer/numerics/sobol.hpp"
#include "tests/support/golden_json.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

// Two correct computations of a well-conditioned case agree to about 1e-11; 1e-8 leaves room for a
// noise of 1e-4, where the covariance matrix loses four digits.
constexpr double kRelative = 1e-8;

void expect_close(const Eigen::VectorXd& actual, const Eigen::VectorXd& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  const double scale = std::max(1e-3, expected.cwiseAbs().maxCoeff());
  for (Eigen::Index i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual[i], expected[i], kRelative * scale) << "entry " << i;
  }
}

void expect_posterior(const FeatureMap& map, const nlohmann::json& expected) {
  const Hyperparameters at{vector_of(expected["lengthscales"]), expected["noise"].get<double>(),
                           expected["amplitude"].get<double>()};
  const RowMatrix features = map.map(matrix_of(expected["points"]));
  const Eigen::VectorXd y = vector_of(expected["outputs"]);

  const double value = log_marginal_likelihood({map, features}, y, at, nullptr);
  GaussianProcess gp(map, at);
  gp.append(features);
  gp.set_outputs(y);
  const Prediction prediction = gp.predict(map.map(matrix_of(expected["new_points"])), false);

  const double reference = expected["log_marginal_likelihood"].get<double>();
  EXPECT_NEAR(value, reference, kRelative * std::max(1.0, std::abs(reference)));
  expect_close(prediction.mean, vector_of(expected["mean"]));
  expect_close(prediction.variance, vector_of(expected["variance"]));
}

TEST(GoldenGp, PosteriorAndLikelihoodAreScikitLearns) {
  for (const nlohmann::json& expected : golden_json("gp/regression.json")) {
    const std::vector<Column> columns(expected["lengthscales"].size());
    expect_posterior(FeatureMap(columns), expected);
  }
}

TEST(GoldenGp, LikelihoodsGradientIsScikitLearns) {
  for (const nlohmann::json& expected : golden_json("gp/regression.json")) {
    const std::vector<Column> columns(expected["lengthscales"].size());
    const FeatureMap map(columns);
    const Hyperparameters at{vector_of(expected["lengthscales"]), expected["noise"].get<double>(),
                             expected["amplitude"].get<double>()};

    Eigen::VectorXd gradient;
    log_marginal_likelihood({map, map.map(matrix_of(expected["points"]))},
                            vector_of(expected["outputs"]), at, &gradient);

    expect_close(gradient, vector_of(expected["gradient"]));
  }
}

TEST(GoldenGp, MixedAndConditionalKernelIsItsDefinition) {
  std::vector<Column> columns(4);
  columns[1].kind = Column::Kind::categorical;
  columns[1].levels = 3;
  columns[2].conditional = true;
  columns[3] = {Column::Kind::categorical, 3, 4, true};
  expect_posterior(FeatureMap(columns), golden_json("gp/mixed.json"));
}

TEST(GoldenNormal, TailsAreMpmaths) {
  for (const nlohmann::json& expected : golden_json("gp/log_ei.json")) {
    const double z = expected["z"].get<double>();
    SCOPED_TRACE(z);
    const LogImprovement improvement = log_improvement(z);
    // Near z = -5 the upper branch loses two of its digits.
    const auto near = [](double actual, const nlohmann::json& value) {
      const double reference = value.get<double>();
      EXPECT_NEAR(actual, reference, 2e-13 * std::max(std::abs(reference), 1e-3));
    };
    near(improvement.log_h, expected["log_h"]);
    near(improvement.cdf_over_h, expected["cdf_over_h"]);
    near(improvement.pdf_over_h, expected["pdf_over_h"]);
    near(log_ndtr(z), expected["log_ndtr"]);
  }
}

TEST(GoldenSobol, PointsAreSciPysBitForBit) {
  const nlohmann::json expected = golden_json("gp/sobol.json");
  const Sobol sobol(expected["dims"].get<int>());
  for (std::size_t i = 0; i < expected["points"].size(); ++i) {
    const Eigen::VectorXd point = sobol.point(i);
    for (int j = 0; j < sobol.dims(); ++j) {
      const double reference = expected["points"][i][static_cast<std::size_t>(j)].get<double>();
      ASSERT_EQ(point[j] * 0x1p32, reference) << "point " << i << ", coordinate " << j;
    }
  }
}

}  // namespace
}  // namespace betatune
