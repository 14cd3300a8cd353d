#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/numerics/box_lbfgs.hpp"
#include "optimizer/numerics/dense.hpp"
#include "optimizer/numerics/factor.hpp"
#include "optimizer/numerics/factor_block.hpp"
#include "optimizer/numerics/log_of_positive.hpp"
#include "optimizer/numerics/normal.hpp"
#include "optimizer/numerics/sobol.hpp"

namespace betatune {
namespace {

RowMatrix random_matrix(Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(rows, columns);
  for (Eigen::Index i = 0; i < out.size(); ++i) out.data()[i] = stream.normal();
  return out;
}

RowMatrix random_covariance(Eigen::Index n, std::uint64_t seed) {
  const RowMatrix a = random_matrix(n, n, seed);
  return a * a.transpose() / static_cast<double>(n) + 0.1 * RowMatrix::Identity(n, n);
}

TEST(Sobol, EachDyadicIntervalOfEachCoordinateHasOnePoint) {
  for (const Sobol& sobol : {Sobol(120), Sobol(120, root_key(3))}) {
    for (const std::uint64_t first : {0u, 128u, 1024u}) {
      const Eigen::MatrixXd points = sobol.points(first, 128);
      for (Eigen::Index j = 0; j < points.cols(); ++j) {
        std::vector<int> hits(128, 0);
        for (Eigen::Index i = 0; i < 128; ++i) {
          ++hits[static_cast<std::size_t>(std::floor(points(i, j) * 128))];
        }
        ASSERT_EQ(std::count(hits.begin(), hits.end(), 1), 128) << "coordinate " << j;
      }
    }
  }
}

TEST(Sobol, ScramblingFollowsFromTheKey) {
  const Sobol a(5, root_key(1)), again(5, root_key(1)), b(5, root_key(2));

  EXPECT_EQ(a.point(77), again.point(77));
  EXPECT_NE(a.point(77), b.point(77));
}

TEST(Sobol, ReachesAThousandDimensionsAndNone) {
  const Eigen::VectorXd point = Sobol(1000, root_key(1)).point(12345);

  EXPECT_EQ(point.size(), 1000);
  EXPECT_GE(point.minCoeff(), 0);
  EXPECT_LT(point.maxCoeff(), 1);
  EXPECT_EQ(Sobol(0, root_key(1)).point(3).size(), 0);
}

TEST(Normal, LogImprovementIsFiniteForEveryFiniteArgument) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  for (const double z : {-kLargest, -1e160, -1e20, -1e8, -40.0, 0.0, 40.0, 1e8, kLargest}) {
    const LogImprovement at = log_improvement(z);
    EXPECT_TRUE(std::isfinite(at.log_h)) << z;
    EXPECT_TRUE(std::isfinite(at.cdf_over_h)) << z;
    EXPECT_TRUE(std::isfinite(at.pdf_over_h)) << z;
    EXPECT_TRUE(std::isfinite(log_ndtr(z))) << z;
  }
}

TEST(Normal, LogImprovementGrowsAcrossTheBranches) {
  double before = log_improvement(-9).log_h;
  for (double z = -8.999; z < 3; z += 0.001) {
    const double now = log_improvement(z).log_h;
    ASSERT_GT(now, before) << z;
    before = now;
  }
}

TEST(Dense, ProductsOfEveryShapeAreEigens) {
  // Sizes beside the tile (4 x 16) and the panel (256) and across their edges.
  for (const Eigen::Index rows : {1, 4, 7}) {
    for (const Eigen::Index columns : {1, 15, 16, 17, 40}) {
      for (const Eigen::Index depth : {1, 255, 256, 300}) {
        const RowMatrix a = random_matrix(rows, depth, 1), b = random_matrix(depth, columns, 2);
        RowMatrix c = random_matrix(rows, columns, 3);
        const RowMatrix expected = c - a * b;
        const auto size = [](Eigen::Index i) { return static_cast<std::size_t>(i); };
        dense::add_product({size(rows), size(columns), size(depth), a.data(), size(depth), 1,
                            dense::Shape::full, b.data(), size(columns), c.data(), size(columns),
                            -1});
        ASSERT_LT((c - expected).cwiseAbs().maxCoeff(), 1e-12);
      }
    }
  }
}

TEST(Dense, EveryVectorWidthGivesTheSameBits) {
  const RowMatrix a = random_matrix(37, 300, 1), b = random_matrix(300, 29, 2);
  RowMatrix triangle = random_matrix(29, 29, 3).triangularView<Eigen::Lower>();
  const auto results = [&](dense::Width width) {
    RowMatrix out = RowMatrix::Zero(37, 29);
    dense::add_product(
        {37, 29, 300, a.data(), 300, 1, dense::Shape::full, b.data(), 29, out.data(), 29}, width);
    RowMatrix transposed = RowMatrix::Zero(29, 29);
    dense::add_product({29, 29, 29, triangle.data(), 1, 29, dense::Shape::upper, b.data(), 29,
                        transposed.data(), 29},
                       width);
    std::vector<double> all(out.data(), out.data() + out.size());
    all.insert(all.end(), transposed.data(), transposed.data() + transposed.size());
    std::vector<double> distance(300, 0.0), value(300), slope(300);
    dense::add_squared_distance(0.3, 1.7, a.data(), 300, distance.data(), width);
    dense::matern52(distance.data(), 300, value.data(), slope.data(), width);
    for (const auto& part : {distance, value, slope})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const std::vector<double> narrow = results(dense::Width::narrow);
  for (const dense::Width width : {dense::Width::avx2, dense::Width::avx512}) {
    if (width <= dense::machine_width()) {
      EXPECT_EQ(results(width), narrow);
    }
  }
}

TEST(Dense, MaternAndItsSlopeAreTheFormula) {
  std::vector<double> distance, value(1001), slope(1001);
  for (int i = 0; i <= 1000; ++i) distance.push_back(1e-6 * i * i * i);
  dense::matern52(distance.data(), distance.size(), value.data(), slope.data());
  for (std::size_t i = 0; i < distance.size(); ++i) {
    const double r = std::sqrt(5 * distance[i]);
    const double expected = (1 + r + r * r / 3) * std::exp(-r);
    ASSERT_NEAR(value[i] / expected, 1, 1e-13) << distance[i];
    ASSERT_NEAR(slope[i] / (-5.0 / 6 * (1 + r) * std::exp(-r)), 1, 1e-13) << distance[i];
  }
}

TEST(Dense, MaternOfVeryFarPointsIsZeroOrNearlySo) {
  const double distance[] = {1e6, 1e300};
  double value[2], slope[2];
  dense::matern52(distance, 2, value, slope);
  EXPECT_LT(value[0], 1e-100);
  EXPECT_TRUE(std::isfinite(value[1]));
  EXPECT_TRUE(std::isfinite(slope[1]));
}

/// The rows 5..30 of a block of which 5 are there, with 7 columns before it: L, then W.
std::vector<double> block_at(dense::Width width) {
  constexpr std::size_t kBefore = 5, kCount = 25, kEnd = kBefore + kCount, kStart = 7;
  RowMatrix lower = random_covariance(kEnd, 8), white = random_matrix(kEnd, kStart + kEnd, 9);
  std::vector<double> columns(kEnd * dense::kFactorBlock, 0.0);
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t j = 0; j <= kBefore + i; ++j)
      columns[j * dense::kFactorBlock + i] = lower.data()[(kBefore + i) * kEnd + j];
  }
  dense::factor_block({kBefore, kCount, lower.data(), kEnd}, 1e-12, columns.data(), width);
  for (std::size_t i = 0; i < kCount; ++i) {
    for (std::size_t j = 0; j <= kBefore + i; ++j)
      lower.data()[(kBefore + i) * kEnd + j] = columns[j * dense::kFactorBlock + i];
  }
  dense::invert_block({kBefore, kCount, lower.data(), kEnd}, kStart + kEnd, white.data(),
                      kStart + kEnd, width);
  std::vector<double> out(lower.data(), lower.data() + lower.size());
  out.insert(out.end(), white.data(), white.data() + white.size());
  return out;
}

TEST(FactorBlock, EveryVectorWidthGivesTheSameBits) {
  const std::vector<double> narrow = block_at(dense::Width::narrow);
  for (const dense::Width width : {dense::Width::avx2, dense::Width::avx512}) {
    if (width <= dense::machine_width()) {
      EXPECT_EQ(block_at(width), narrow);
    }
  }
}

TEST(LogOfPositive, IsTheLogarithm) {
  for (double x = 1e-300; x < 1e300; x *= 1.37) {
    ASSERT_NEAR(log_of_positive(x) / std::log(x), 1, 2e-15) << x;
  }
  for (double distance = 1e-15; distance < 0.5; distance *= 1.7) {
    for (const double x : {1 - distance, 1 + distance}) {
      ASSERT_NEAR(log_of_positive(x) / std::log(x), 1, 2e-15) << distance;
    }
  }
  EXPECT_EQ(log_of_positive(1), 0);
}

TEST(GrowingFactor, HasTheSameBitsHoweverItGrew) {
  const Eigen::Index n = 130;
  const RowMatrix a = random_covariance(n, 4);
  GrowingFactor at_once, row_by_row, uneven;
  at_once.append(a);
  for (Eigen::Index i = 0; i < n; ++i) row_by_row.append(a.block(i, 0, 1, i + 1));
  // In pieces that do not end at block boundaries, with rows that are dropped and come again.
  uneven.append(a.topLeftCorner(50, 50));
  uneven.append(a.block(50, 0, 31, 81));
  uneven.truncate(47);
  uneven.append(a.block(47, 0, 83, n));

  const RowMatrix inverse = at_once.inverse();
  EXPECT_EQ(inverse, row_by_row.inverse());
  EXPECT_EQ(inverse, uneven.inverse());
  EXPECT_EQ(at_once.half_log_determinant(), uneven.half_log_determinant());
}

TEST(GrowingFactor, InvertsAndWhitens) {
  const RowMatrix a = random_covariance(75, 5), b = random_matrix(75, 9, 6);
  GrowingFactor factor;
  factor.append(a);
  RowMatrix white, solved;
  factor.whiten(b, white);
  factor.whiten_transposed(white, solved);

  RowMatrix white_too, solved_too;
  factor.solve(b, white_too, solved_too);
  EXPECT_EQ(white_too, white);
  EXPECT_EQ(solved_too, solved);

  EXPECT_LT((a * factor.inverse() - RowMatrix::Identity(75, 75)).cwiseAbs().maxCoeff(), 1e-11);
  EXPECT_LT((a * solved - b).cwiseAbs().maxCoeff(), 1e-11);
  EXPECT_NEAR(factor.half_log_determinant(), 0.5 * std::log(Eigen::MatrixXd(a).determinant()),
              1e-9);
}

TEST(GrowingFactor, SurvivesASingularMatrix) {
  const RowMatrix ones = RowMatrix::Ones(60, 60);
  GrowingFactor factor;
  factor.append(ones);
  RowMatrix white;
  factor.whiten(RowMatrix::Ones(60, 1), white);

  EXPECT_TRUE(white.allFinite());
  EXPECT_TRUE(std::isfinite(factor.half_log_determinant()));
}

/// Runs to the end; returns where it ended.
template <class F>
Eigen::VectorXd minimize(BoxLbfgs run, const F& f) {
  while (!run.done()) {
    Eigen::VectorXd gradient;
    const double value = f(run.wanted(), gradient);
    run.tell(value, gradient);
  }
  return run.best();
}

TEST(BoxLbfgs, FindsTheMinimumOfRosenbrock) {
  const auto rosenbrock = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    const double a = x[1] - x[0] * x[0], b = 1 - x[0];
    gradient.resize(2);
    gradient << -400 * x[0] * a - 2 * b, 200 * a;
    return 100 * a * a + b * b;
  };
  BoxLbfgsOptions options;
  options.iterations_max = options.evaluations_max = 500;
  options.value_tolerance = 0;
  const Eigen::VectorXd lower = Eigen::VectorXd::Constant(2, -5), upper = -lower;

  const Eigen::VectorXd found =
      minimize(BoxLbfgs(Eigen::Vector2d(-1.2, 1), lower, upper, options), rosenbrock);

  EXPECT_NEAR(found[0], 1, 1e-4);
  EXPECT_NEAR(found[1], 1, 1e-4);
}

TEST(BoxLbfgs, StaysInTheBoxAndFindsTheMinimumOnItsFace) {
  // The unconstrained minimum (2, -3, 0.25) is outside in two coordinates.
  const Eigen::Vector3d centre(2, -3, 0.25);
  const auto bowl = [&](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    EXPECT_GE(x.minCoeff(), 0);
    EXPECT_LE(x.maxCoeff(), 1);
    const Eigen::Vector3d scale(1, 10, 100);
    gradient = 2 * scale.cwiseProduct(x - centre);
    return scale.dot((x - centre).cwiseAbs2());
  };
  const Eigen::VectorXd found =
      minimize(BoxLbfgs(Eigen::VectorXd::Constant(3, 0.9), Eigen::VectorXd::Zero(3),
                        Eigen::VectorXd::Ones(3)),
               bowl);

  EXPECT_EQ(found[0], 1);
  EXPECT_EQ(found[1], 0);
  EXPECT_NEAR(found[2], 0.25, 1e-5);
}

TEST(BoxLbfgs, EndsWhereTheFunctionIsNotFinite) {
  const auto cliff = [](const Eigen::VectorXd& x, Eigen::VectorXd& gradient) {
    gradient = Eigen::VectorXd::Ones(1);
    return x[0] < 0.5 ? std::numeric_limits<double>::quiet_NaN() : x[0];
  };
  const Eigen::VectorXd found = minimize(
      BoxLbfgs(Eigen::VectorXd::Ones(1), Eigen::VectorXd::Zero(1), Eigen::VectorXd::Ones(1)),
      cliff);

  EXPECT_GE(found[0], 0.5);
  EXPECT_LT(found[0], 0.51);
}

}  // namespace
}  // namespace betatune
