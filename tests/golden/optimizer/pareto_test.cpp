// Hypervolumes and their expected improvements against BoTorch: tests/golden/pareto/make_golden.py.

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "optimizer/pareto/log_ehvi.hpp"

namespace betatune {
namespace {

Eigen::VectorXd vector_of(const nlohmann::json& json) {
  const auto values = json.get<std::vector<double>>();
  return Eigen::Map<const Eigen::VectorXd>(values.data(), std::ssize(values));
}

TEST(GoldenPareto, ExpectedHypervolumeImprovementsAreBoTorchs) {
  std::ifstream file(BETATUNE_SOURCE_DIR "/tests/golden/pareto/log_ehvi.json");
  const nlohmann::json cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 4u);
  for (const nlohmann::json& each : cases) {
    const Eigen::VectorXd reference = vector_of(each["reference"]);
    RowMatrix front(std::ssize(each["front"]), reference.size());
    for (Eigen::Index i = 0; i < front.rows(); ++i) {
      front.row(i) = vector_of(each["front"][static_cast<std::size_t>(i)]).transpose();
    }
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
