// Fronts, volumes and expected improvements with several objectives.

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/pareto/log_ehvi.hpp"
#include "searchspaces/random.hpp"
#include "tests/support/gradient_check.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;

RowMatrix rows(std::initializer_list<std::initializer_list<double>> values) {
  RowMatrix out(std::ssize(values), std::ssize(*values.begin()));
  Eigen::Index i = 0;
  for (const auto& row : values) {
    Eigen::Index j = 0;
    for (const double each : row) out(i, j++) = each;
    ++i;
  }
  return out;
}

RowMatrix random_rows(Eigen::Index n, Eigen::Index m, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(n, m);
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < m; ++j) out(i, j) = stream.uniform();
  }
  return out;
}

TEST(Front, IsWhatNoOtherPointBeats) {
  const RowMatrix points = rows({{3, 1}, {2, 2}, {2, 3}, {1, 3}, {2, 2}, {4, 4}});

  EXPECT_THAT(non_dominated(points), ElementsAre(0, 1, 3)) << "of equals the first";
  EXPECT_THAT(front_ranks(points), ElementsAre(0, 0, 1, 0, 0, 2));
}

TEST(Front, RanksAreThoseOfPeelingByBruteForce) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Eigen::Index m = 2 + static_cast<Eigen::Index>(seed % 3);
    RowMatrix points = random_rows(30, m, seed);
    points = (points.array() * 6).floor();  // with ties
    std::vector<int> wanted(30, -1);
    for (int rank = 0; std::ranges::find(wanted, -1) != wanted.end(); ++rank) {
      std::vector<std::size_t> front;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        bool beaten = wanted[i] >= 0;
        for (std::size_t k = 0; k < wanted.size() && !beaten; ++k) {
          beaten = wanted[k] < 0 && dominates(points.row(static_cast<Eigen::Index>(k)),
                                              points.row(static_cast<Eigen::Index>(i)));
        }
        if (!beaten) front.push_back(i);
      }
      for (const std::size_t i : front) wanted[i] = rank;
    }

    EXPECT_EQ(front_ranks(points), wanted) << "seed " << seed;
  }
}

TEST(Front, MeritsPutTheLonelyFirstWithinTheirFront) {
  const Eigen::VectorXd merits =
      front_merits(rows({{0, 10}, {1, 8}, {1.5, 7.5}, {9, 1}, {10, 0}, {10, 10}}));

  EXPECT_EQ(merits[5], 1);
  for (Eigen::Index i = 0; i < 5; ++i) EXPECT_LT(merits[i], 1);
  EXPECT_LT(merits[0], merits[1]) << "the ends have no neighbour on one side";
  EXPECT_LT(merits[3], merits[1]);
}

TEST(Front, MeritsLeaveEqualsInTheirOrder) {
  const Eigen::VectorXd equal = front_merits(rows({{1, 1}, {1, 1}, {1, 1}, {1, 1}}));
  EXPECT_EQ(equal, Eigen::Vector4d(0, 0.25, 0.5, 0.75));
  // An objective that is the same everywhere makes nobody lonely.
  const Eigen::VectorXd merits = front_merits(rows({{2, 3, 7}, {0, 5, 7}, {5, 0, 7}}));
  EXPECT_EQ(merits, Eigen::Vector3d(2.0 / 3, 0, 1.0 / 3));
}

TEST(Hypervolume, OfKnownFronts) {
  EXPECT_DOUBLE_EQ(hypervolume(rows({{1, 1}}), Eigen::Vector2d(3, 4)), 6);
  EXPECT_DOUBLE_EQ(hypervolume(rows({{1, 3}, {2, 2}, {3, 1}}), Eigen::Vector2d(4, 4)), 6);
  EXPECT_DOUBLE_EQ(hypervolume(rows({{0, 0, 0}}), Eigen::Vector3d(2, 3, 4)), 24);
  EXPECT_DOUBLE_EQ(hypervolume(rows({{0, 1, 1}, {1, 0, 1}, {1, 1, 0}}), Eigen::Vector3d(2, 2, 2)),
                   4);
  EXPECT_DOUBLE_EQ(hypervolume(rows({{5, 5}}), Eigen::Vector2d(4, 9)), 0) << "outside";
  EXPECT_DOUBLE_EQ(hypervolume(RowMatrix(0, 2), Eigen::Vector2d(4, 9)), 0);
}

/// Inclusion and exclusion over all subsets.
double brute_force(const RowMatrix& points, const Eigen::VectorXd& reference) {
  double sum = 0;
  for (std::uint64_t set = 1; set < (std::uint64_t{1} << points.rows()); ++set) {
    Eigen::VectorXd corner = Eigen::VectorXd::Constant(points.cols(), -1e300);
    int members = 0;
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      if ((set >> i & 1) == 0) continue;
      corner = corner.cwiseMax(points.row(i).transpose());
      ++members;
    }
    const double volume = (reference - corner).cwiseMax(0).prod();
    sum += members % 2 == 1 ? volume : -volume;
  }
  return sum;
}

TEST(Hypervolume, IsThatOfInclusionAndExclusionInAnyOrder) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Eigen::Index m = 2 + static_cast<Eigen::Index>(seed % 3);
    const RowMatrix points = random_rows(10, m, seed);
    const Eigen::VectorXd reference = Eigen::VectorXd::Constant(m, 0.9);

    // Sums of 1023 volumes below 1: 1e-12 is above their rounding.
    EXPECT_NEAR(hypervolume(points, reference), brute_force(points, reference), 1e-12);
    EXPECT_NEAR(hypervolume(points.colwise().reverse(), reference), hypervolume(points, reference),
                1e-14);
  }
}

TEST(Boxes, AddUpToWhatAPointImproves) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Eigen::Index m = 2 + static_cast<Eigen::Index>(seed % 3);
    const RowMatrix front = random_rows(12, m, seed);
    const Eigen::VectorXd reference = Eigen::VectorXd::Constant(m, 0.9);
    const Boxes boxes = open_boxes(front, reference);
    const double before = hypervolume(front, reference);
    const RowMatrix others = random_rows(20, m, seed + 100);
    for (Eigen::Index i = 0; i < others.rows(); ++i) {
      RowMatrix with(front.rows() + 1, m);
      with << front, others.row(i);
      EXPECT_NEAR(improvement(boxes, others.row(i).transpose()),
                  hypervolume(with, reference) - before, 1e-13);
    }
  }
}

TEST(Boxes, WithoutAFrontEverythingBelowTheReferenceIsOpen) {
  const Boxes boxes = open_boxes(RowMatrix(0, 2), Eigen::Vector2d(1, 1));
  EXPECT_EQ(boxes.lower.rows(), 1);
  EXPECT_DOUBLE_EQ(improvement(boxes, Eigen::Vector2d(0.5, 0)), 0.5);
}

TEST(Reference, IsATenthOfTheRangeBehindTheWorstOfTheFront) {
  const RowMatrix points = rows({{1, 30}, {2, 20}, {3, 10}, {9, 90}});
  const Eigen::VectorXd found = infer_reference(points, non_dominated(points));
  EXPECT_DOUBLE_EQ(found[0], 3.2);
  EXPECT_DOUBLE_EQ(found[1], 32);

  const RowMatrix one = rows({{1, 1}, {2, 5}});
  const Eigen::VectorXd of_one = infer_reference(one, non_dominated(one));
  EXPECT_DOUBLE_EQ(of_one[0], 1.1) << "of the range of all points";
  EXPECT_DOUBLE_EQ(of_one[1], 1.4);
  EXPECT_DOUBLE_EQ(infer_reference(rows({{2, 2}}), {0})[0], 2.1);
}

TEST(LogEhvi, IsTheMeanOfTheImprovementOverDraws) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Eigen::Index m = 2 + static_cast<Eigen::Index>(seed % 3);
    const Boxes boxes = open_boxes(random_rows(6, m, seed), Eigen::VectorXd::Constant(m, 0.9));
    Stream stream(root_key(seed + 50));
    const Eigen::VectorXd means = random_rows(1, m, seed + 20).row(0).transpose();
    const Eigen::VectorXd deviations = 0.2 * random_rows(1, m, seed + 30).row(0).transpose();
    constexpr int kDraws = 100'000;
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      Eigen::VectorXd draw = means;
      for (Eigen::Index j = 0; j < m; ++j) draw[j] += deviations[j] * stream.normal();
      const double each = improvement(boxes, draw);
      sum += each;
      squares += each * each;
    }
    const double mean = sum / kDraws;
    const double error = std::sqrt((squares / kDraws - mean * mean) / kDraws);

    const double exact = std::exp(LogEhvi(boxes).value(means, deviations, nullptr, nullptr));

    EXPECT_NEAR(exact, mean, 5 * error + 1e-12) << "five standard errors, seed " << seed;
  }
}

TEST(LogEhvi, HasItsSlopes) {
  for (std::uint64_t seed = 1; seed <= 9; ++seed) {
    const Eigen::Index m = 2 + static_cast<Eigen::Index>(seed % 3);
    const LogEhvi ehvi(open_boxes(random_rows(8, m, seed), Eigen::VectorXd::Constant(m, 0.9)));
    Eigen::VectorXd at(2 * m);
    at << random_rows(1, m, seed + 20).row(0).transpose(),
        0.05 + 0.3 * random_rows(1, m, seed + 30).row(0).transpose().array();
    Eigen::VectorXd by_mean, by_deviation, gradient(2 * m);
    ehvi.value(at.head(m), at.tail(m), &by_mean, &by_deviation);
    gradient << by_mean, by_deviation;

    test::expect_gradient(
        [&](const Eigen::VectorXd& x) {
          return ehvi.value(x.head(m), x.tail(m), nullptr, nullptr);
        },
        at, gradient);
  }
}

TEST(LogEhvi, WithOneObjectiveIsLogExpectedImprovement) {
  const LogEhvi ehvi(open_boxes(rows({{0.3}, {0.7}}), Eigen::VectorXd::Constant(1, 0.9)));
  const double z = (0.3 - 0.5) / 0.2;
  const double cdf = 0.5 * std::erfc(-z / std::sqrt(2.0));
  const double pdf = std::exp(-0.5 * z * z) / std::sqrt(2 * 3.14159265358979323846);
  const double found = ehvi.value(Eigen::VectorXd::Constant(1, 0.5),
                                  Eigen::VectorXd::Constant(1, 0.2), nullptr, nullptr);
  EXPECT_NEAR(found, std::log(0.2 * (pdf + z * cdf)), 1e-12);
}

TEST(LogEhvi, IsFiniteFarFromAnyImprovement) {
  const LogEhvi ehvi(open_boxes(random_rows(8, 3, 1), Eigen::VectorXd::Constant(3, 0.9)));
  Eigen::VectorXd by_mean, by_deviation;
  const double far = ehvi.value(Eigen::VectorXd::Constant(3, 50), Eigen::VectorXd::Constant(3, 0.1),
                                &by_mean, &by_deviation);
  const double farther = ehvi.value(Eigen::VectorXd::Constant(3, 60),
                                    Eigen::VectorXd::Constant(3, 0.1), nullptr, nullptr);
  EXPECT_TRUE(std::isfinite(far));
  EXPECT_LT(farther, far);
  EXPECT_TRUE(by_mean.allFinite());
  EXPECT_TRUE((by_mean.array() < 0).all());
  EXPECT_TRUE(by_deviation.allFinite());
}

}  // namespace
}  // namespace betatune
