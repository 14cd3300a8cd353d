#include "trainers/torch/engine/auc.hpp"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "trainers/torch/engine/random.hpp"

namespace betatune::engine {
namespace {

double auc(const std::vector<double>& discriminants, const std::vector<std::int64_t>& labels) {
  return area_under_curve(discriminants, labels);
}

TEST(AreaUnderCurve, IsTheShareOfPairsInTheRightOrder) {
  EXPECT_EQ(auc({1, 2, 3, 4}, {0, 0, 1, 1}), 1);
  EXPECT_EQ(auc({4, 3, 2, 1}, {0, 0, 1, 1}), 0);
  EXPECT_EQ(auc({2, 1, 4, 3}, {0, 1, 0, 1}), 0.25);  // of four pairs, 3 > 2 alone
}

TEST(AreaUnderCurve, CountsEqualOnesHalf) {
  EXPECT_EQ(auc({1, 1, 1, 1}, {0, 1, 0, 1}), 0.5);
  EXPECT_EQ(auc({1, 1, 2}, {0, 1, 1}), 0.75);
}

TEST(AreaUnderCurve, IsNotANumberWithoutTwoClasses) {
  EXPECT_TRUE(std::isnan(auc({1, 2}, {1, 1})));
  EXPECT_TRUE(std::isnan(auc({}, {})));
  EXPECT_TRUE(std::isnan(auc({1, NAN}, {0, 1})));
}

TEST(AreaUnderCurve, EqualsCountingAllPairs) {
  Stream random(1);
  std::vector<double> discriminants;
  std::vector<std::int64_t> labels;
  for (int i = 0; i < 300; ++i) {
    labels.push_back(random.chance(0.3) ? 1 : 0);
    discriminants.push_back(std::floor(20 * random.uniform()) + static_cast<double>(labels.back()));
  }
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (std::size_t j = 0; j < labels.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      pairs += 1;
      won += discriminants[i] > discriminants[j]    ? 1
             : discriminants[i] == discriminants[j] ? 0.5
                                                    : 0;
    }
  }

  EXPECT_DOUBLE_EQ(auc(discriminants, labels), won / pairs);
}

}  // namespace
}  // namespace betatune::engine
