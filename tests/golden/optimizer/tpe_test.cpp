// The Parzen estimator against values that other programs computed:
// tests/golden/tpe/make_golden.py.

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/tpe/parzen.hpp"
#include "tests/support/golden_json.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

TEST(GoldenNormal, QuantilesAreMpmaths) {
  for (const nlohmann::json& expected : golden_json("tpe/normal.json")) {
    const double p = expected["p"].get<double>(), z = expected["z"].get<double>();
    // The algorithm promises about 1e-16; the centre has a few roundings.
    EXPECT_NEAR(normal_quantile(p) / z, 1, 1e-14) << p;
    EXPECT_NEAR(normal_cdf(z) / p, 1, 1e-12) << z;  // the slope of log p is up to 37 there
  }
}

/// A line, a grid of 7 and a choice of 4.
SearchSpace three_kinds() {
  std::vector<Value> words{Value{"a"}, Value{"b"}, Value{"c"}, Value{"d"}};
  return HistoryBuilder({real("line", 0, 1), integer("grid", 1, 7), choice("choice", words)})
      .space();
}

TEST(GoldenParzen, MixturesAreSciPys) {
  const SearchSpace space = three_kinds();
  const std::vector<std::string> kinds{"line", "grid", "choice"};
  for (const nlohmann::json& expected : golden_json("tpe/parzen.json")) {
    std::vector<ParzenAxis> axes;
    KernelCentres centres;
    centres.weights = expected["weights"].get<std::vector<double>>();
    for (std::size_t j = 0; j < kinds.size(); ++j) {
      axes.emplace_back(space, j);
      centres.columns.push_back(expected["centres"][kinds[j]].get<std::vector<double>>());
    }
    for (std::size_t i = 0; i < centres.size(); ++i) centres.trials.push_back(i);
    std::vector<NormaliserCache> caches(axes.size());

    const ParzenMixture mixture(axes, centres, expected["prior_weight"].get<double>(), caches);

    for (std::size_t i = 0; i < expected["log_density"].size(); ++i) {
      std::vector<double> point;
      for (std::size_t j = 0; j < kinds.size(); ++j) {
        point.push_back(axes[j].snap(expected["points"][kinds[j]][i].get<double>()));
      }
      // Masses of cells are differences of two distribution functions: a few digits are lost.
      EXPECT_NEAR(mixture.log_density(point), expected["log_density"][i].get<double>(), 1e-11);
    }
  }
}

}  // namespace
}  // namespace betatune
