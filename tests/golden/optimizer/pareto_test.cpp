// Hypervolumes and their expected improvements against BoTorch: tests/golden/pareto/make_golden.py.

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/pareto/log_ehvi.hpp"
#include "tests/support/golden_json.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

TEST(GoldenPareto, ExpectedHypervolumeImprovementsAreBoTorchs) {
  const nlohmann::json cases = golden_json("pareto/log_ehvi.json");
  ASSERT_GE(cases.size(), 4u);
  for (const nlohmann::json& each : cases) {
    const Eigen::VectorXd reference = vector_of(each["reference"]);
    const RowMatrix front = matrix_of(each["front"]);
    // Both add up some dozens of numbers below 1.
    EXPECT_NEAR(hypervolume(front, reference), each["hypervolume"].get<double>(), 1e-12);
    const LogEhvi ehvi(open_boxes(front, reference));
    for (const nlohmann::json& point : each["points"]) {
      const double expected = point["ehvi"].get<double>();
      const double found =
          ehvi.value(vector_of(point["mean"]), vector_of(point["deviation"]), nullptr, nullptr);
      // BoTorch takes differences of numbers up to 1: it has 1e-12 of them, we more.
      EXPECT_NEAR(std::exp(found), expected, 1e-12 + 1e-9 * expected);
    }
  }
}

}  // namespace
}  // namespace betatune
