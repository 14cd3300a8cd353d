// What a searcher that learns is for: it finds better configurations than draws at random.

#include <gtest/gtest.h>

#include "tests/support/search_race.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

class Search : public testing::TestWithParam<std::string> {};

TEST_P(Search, BeatsRandomOnASphere) {
  const auto loss = [](const Configuration& x) {
    double sum = 0;
    for (const double each : shifted(unit_point(x, 5), 1, 3)) sum += each * each;
    return sum;
  };
  EXPECT_GE(wins_of_20(GetParam(), boxes(5), loss, 100), 18);
}

TEST_P(Search, BeatsRandomOnAckley) {
  const auto loss = [](const Configuration& x) { return ackley(shifted(unit_point(x, 5), 10, 3)); };
  EXPECT_GE(wins_of_20(GetParam(), boxes(5), loss, 150), 18);
}

TEST_P(Search, BeatsRandomOnChoices) {
  EXPECT_GE(wins_of_20(GetParam(), choices_study, choices_loss, 150), 18);
}

TEST_P(Search, BeatsRandomOnAConditionalConstrainedSpace) {
  EXPECT_GE(wins_of_20(GetParam(), conditional_study, conditional_loss, 120), 16);
}

TEST_P(Search, SuggestionsMadeAtOnceStayApart) {
  HistoryBuilder study(unit_box(2));
  const auto searcher = study.searcher(GetParam());
  const auto loss = [](const Configuration& x) {
    const auto u = unit_point(x, 2);
    return branin(15 * u[0] - 5, 15 * u[1]);
  };
  run_study(study, *searcher, loss, 40);

  const auto batch = searcher->suggest(study.history(), 8, root_key(4));

  ASSERT_EQ(batch.size(), 8u);
  std::vector<std::vector<double>> points;
  for (const Suggestion& each : batch) points.push_back(unit_point(each.configuration, 2));
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double distance = std::hypot(points[i][0] - points[j][0], points[i][1] - points[j][1]);
      EXPECT_GT(distance, 1e-4);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Model, Search, testing::Values("cmaes", "de", "evolution", "tpe"),
                         [](const auto& each) { return each.param; });

}  // namespace
}  // namespace betatune
