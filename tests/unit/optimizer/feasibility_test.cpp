#include "optimizer/gp/feasibility.hpp"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

#include "tests/support/gradient_check.hpp"
#include "tests/support/numbers.hpp"
#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

/// Trials fail where the first of two numbers is above 0.6.
Observations half_failed(Eigen::Index n) {
  Stream stream(root_key(1));
  Observations data;
  data.points.resize(n, 2);
  data.losses.resize(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    data.points.row(i) << stream.uniform(), stream.uniform();
    const bool failed = data.points(i, 0) > 0.6;
    data.losses[i] = failed ? kNan : data.points(i, 1);
    data.finite += failed ? 0 : 1;
    data.trials.push_back(static_cast<std::size_t>(i));
  }
  return data;
}

double probability_at(const Feasibility& feasibility, double x, double y) {
  RowMatrix point(1, 2);
  point << x, y;
  return std::exp(feasibility.value(point, nullptr)[0]);
}

TEST(Feasibility, IsLowWhereTrialsFailed) {
  const FeatureMap map(std::vector<Column>(2));
  const auto feasibility = Feasibility::learn(map, half_failed(40));
  ASSERT_NE(feasibility, nullptr);
  for (const double y : {0.2, 0.5, 0.8}) {
    EXPECT_LT(probability_at(*feasibility, 0.85, y), 0.1);
    EXPECT_GT(probability_at(*feasibility, 0.25, y), 0.9);
  }
}

TEST(Feasibility, IsNotModelledWhileNothingOrEverythingFailed) {
  const FeatureMap map(std::vector<Column>(2));
  Observations data = half_failed(10);
  data.finite = 10;
  EXPECT_EQ(Feasibility::learn(map, data), nullptr);
  data.finite = 0;
  EXPECT_EQ(Feasibility::learn(map, data), nullptr);
}

TEST(Feasibility, AFewFailuresLeaveOtherPlacesOpen) {
  const FeatureMap map(std::vector<Column>(2));
  Observations data;
  data.points.resize(3, 2);
  data.points << 0.1, 0.1, 0.12, 0.1, 0.1, 0.14;
  data.losses = Eigen::Vector3d(kNan, kNan, 1);
  data.trials = {0, 1, 2};
  data.finite = 1;
  EXPECT_GT(probability_at(*Feasibility::learn(map, data), 0.9, 0.9), 0.5);
}

TEST(Feasibility, GradientIsThatOfItsValue) {
  const FeatureMap map(std::vector<Column>(2));
  const auto feasibility = Feasibility::learn(map, half_failed(30));
  RowMatrix points(4, 2);
  points << 0.3, 0.4, 0.61, 0.5, 0.95, 0.05, 0.58, 0.9;
  RowMatrix gradient;
  feasibility->value(points, &gradient);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    const auto f = [&](const Eigen::VectorXd& at) {
      return feasibility->value(at.transpose(), nullptr)[0];
    };
    expect_gradient(f, points.row(i).transpose(), gradient.row(i).transpose(), 1e-5);
  }
}

struct Failing {
  int failures = 0;
  double best = std::numeric_limits<double>::infinity();
};

/// 40 trials of which those with x0 + x1 > 0.9 fail.
Failing run_with_failures(const Loss& loss) {
  HistoryBuilder study(unit_box(2));
  const auto searcher = study.searcher("gp");
  Failing out;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto suggestions = searcher->suggest(study.history(), 1, fold_in(root_key(2), i));
    const Configuration& configuration = suggestions.at(0).configuration;
    const std::vector<double> u = unit_point(configuration, 2);
    if (u[0] + u[1] > 0.9) {
      study.add_failure(configuration, FailureClass::oom);
      ++out.failures;
    } else {
      study.add_result(suggestions[0], loss(configuration));
      out.best = std::min(out.best, loss(configuration));
    }
  }
  return out;
}

TEST(Feasibility, KeepsAStudyOutOfARegionThatOnlyFails) {
  const Failing found = run_with_failures([](const Configuration& x) {
    const std::vector<double> u = unit_point(x, 2);
    return std::pow(u[0] - 0.3, 2) + std::pow(u[1] - 0.4, 2);
  });
  EXPECT_LT(found.failures, 16) << "random draws would fail 24 times";
  EXPECT_LT(found.best, 1e-3);
}

TEST(Feasibility, LeadsAStudyToABestResultAtTheBorder) {
  // 0.6 at (0.9, 0), and lower wherever trials fail.
  const Failing found = run_with_failures([](const Configuration& x) {
    const std::vector<double> u = unit_point(x, 2);
    return (1 - u[0]) + 0.5 * (1 - u[1]);
  });
  EXPECT_LT(found.best, 0.62);
}

}  // namespace
}  // namespace betatune
