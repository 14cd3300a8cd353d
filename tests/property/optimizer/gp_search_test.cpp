// What a model-based search is for: it finds better configurations than draws at random.

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/search_race.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

TEST(GpSearch, BeatsRandomOnBranin) {
  const auto loss = [](const Configuration& x) {
    const auto u = unit_point(x, 2);
    return branin(15 * u[0] - 5, 15 * u[1]);
  };
  EXPECT_GE(wins_of_20("gp", boxes(2), loss, 25), 16);
}

TEST(GpSearch, BeatsRandomOnHartmann) {
  const auto loss = [](const Configuration& x) { return hartmann6(unit_point(x, 6)); };
  EXPECT_GE(wins_of_20("gp", boxes(6), loss, 40), 16);
}

TEST(GpSearch, BeatsRandomOnAConditionalConstrainedSpace) {
  EXPECT_GE(wins_of_20("gp", conditional_study, conditional_loss, 35), 16);
}

TEST(GpSearch, SurvivesARegionThatAlwaysFails) {
  int better = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    HistoryBuilder study(unit_box(2), {}, seed);
    const auto gp = study.searcher("gp");
    int failures = 0, late_failures = 0;
    for (int i = 0; i < 40; ++i) {
      const auto next =
          gp->suggest(study.history(), 1, fold_in(root_key(seed), static_cast<std::uint64_t>(i)));
      const auto u = unit_point(next.at(0).configuration, 2);
      if (u[0] > 0.6) {
        study.add_failure(next[0].configuration, FailureClass::oom);
        ++failures;
        if (i >= 20) ++late_failures;
      } else {
        study.add_result(next[0].configuration, next[0].origin, branin(15 * u[0] - 5, 15 * u[1]));
      }
    }
    // Four tenths of the space fail: a search that learns nothing would fail 8 of its last 20.
    better += late_failures < 6 ? 1 : 0;
  }
  EXPECT_GE(better, 16);
}

TEST(GpSearch, SuggestionsMadeAtOnceStayApart) {
  HistoryBuilder study(unit_box(2));
  const auto gp = study.searcher("gp");
  for (int i = 0; i < 20; ++i) {
    const auto next =
        gp->suggest(study.history(), 1, fold_in(root_key(3), static_cast<std::uint64_t>(i)));
    const auto u = unit_point(next.at(0).configuration, 2);
    study.add_result(next[0].configuration, next[0].origin, branin(15 * u[0] - 5, 15 * u[1]));
  }

  const auto batch = gp->suggest(study.history(), 8, root_key(4));

  ASSERT_EQ(batch.size(), 8u);
  double nearest = 1;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto a = unit_point(batch[i].configuration, 2),
                 b = unit_point(batch[j].configuration, 2);
      nearest = std::min(nearest, std::hypot(a[0] - b[0], a[1] - b[1]));
    }
  }
  // Eight suggestions without a thought of each other would be one point to within 1e-3.
  EXPECT_GT(nearest, 0.005);
}

TEST(GpSearch, ParallelSearchIsNotFarBehindASerialOne) {
  const auto loss = [](const Configuration& x) {
    const auto u = unit_point(x, 2);
    return branin(15 * u[0] - 5, 15 * u[1]);
  };
  std::vector<double> best;
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    HistoryBuilder study(unit_box(2), {}, seed);
    const auto gp = study.searcher("gp");
    std::vector<TrialId> running;
    double lowest = 1e9;
    for (std::uint64_t i = 0; i < 48; ++i) {
      const auto next = gp->suggest(study.history(), 1, fold_in(root_key(seed), i));
      running.push_back(
          study.add(next.at(0).configuration, next[0].origin, TrialState::running).id);
      if (running.size() < 8) continue;
      // Eight run at a time; they end out of order.
      const std::size_t ends = i % running.size();
      const double value = loss(*study.history().trials[running[ends]].configuration);
      study.finish(running[ends], value);
      lowest = std::min(lowest, value);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(ends));
    }
    best.push_back(lowest - 0.39788735772973816);
  }
  std::sort(best.begin(), best.end());
  // A serial search is at 1e-5 by then, random search at 0.4.
  EXPECT_LT(best[best.size() / 2], 0.02);
}

TEST(GpSearch, RecommendsByTheModelNotByOneLuckyDraw) {
  // A bowl under noise: one lucky result far from the minimum among many honest ones near it.
  HistoryBuilder study(unit_box(1));
  Stream noise(root_key(12));
  for (int i = 0; i < 40; ++i) {
    const double x = (i + 0.5) / 40;
    study.add_result({{"x0", x}}, "test", 10 * std::pow(x - 0.3, 2) + 0.3 * noise.normal());
  }
  study.add_result({{"x0", 0.72}}, "test", -1.2);

  const auto recommended = study.searcher("gp")->recommend(study.history());

  ASSERT_TRUE(recommended);
  EXPECT_NEAR(number(*recommended, "x0"), 0.3, 0.15);
}

}  // namespace
}  // namespace betatune
