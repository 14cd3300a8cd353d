#include <Eigen/Eigenvalues>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/gp/log_ei.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/gp/proposal.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/history_builder.hpp"
#include "tests/support/numbers.hpp"
#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

/// A numeric column, a categorical one, and one of each that exist only in half of the points.
std::vector<Column> mixed_columns() {
  std::vector<Column> columns(4);
  columns[1].kind = Column::Kind::categorical;
  columns[1].levels = 3;
  columns[2].conditional = true;
  columns[3] = {Column::Kind::categorical, 3, 4, true};
  return columns;
}

RowMatrix mixed_points(Eigen::Index n, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(n, 4);
  for (Eigen::Index i = 0; i < n; ++i) {
    const bool active = stream.uniform() < 0.5;
    out(i, 0) = stream.uniform();
    out(i, 1) = (static_cast<double>(stream.below(3)) + 0.5) / 3;
    out(i, 2) = active ? stream.uniform() : kNan;
    out(i, 3) = active ? (static_cast<double>(stream.below(4)) + 0.5) / 4 : kNan;
  }
  return out;
}

Eigen::VectorXd outputs(Eigen::Index n, std::uint64_t seed) {
  Stream stream(root_key(seed));
  Eigen::VectorXd y(n);
  for (double& each : y) each = stream.normal();
  return y;
}

Hyperparameters some_hyperparameters(Eigen::Index d) {
  Hyperparameters at{Eigen::VectorXd(d), 0.02, 1.3};
  for (Eigen::Index j = 0; j < d; ++j) at.lengthscales[j] = 0.3 + 0.25 * static_cast<double>(j);
  return at;
}

GaussianProcess mixed_gp(Eigen::Index n) {
  const std::vector<Column> columns = mixed_columns();
  GaussianProcess gp(FeatureMap(columns), some_hyperparameters(4));
  gp.append(gp.map().map(mixed_points(n, 1)));
  gp.set_outputs(outputs(n, 2));
  return gp;
}

TEST(MarginalLikelihood, GradientIsThatOfItsValue) {
  const std::vector<Column> columns = mixed_columns();
  const FeatureMap map(columns);
  const RowMatrix features = map.map(mixed_points(25, 1));
  const Eigen::VectorXd y = outputs(25, 2);
  const Eigen::VectorXd logs = some_hyperparameters(4).to_logs();

  Eigen::VectorXd gradient;
  log_marginal_likelihood({map, features}, y, Hyperparameters::from_logs(logs), &gradient);

  expect_gradient(
      [&](const Eigen::VectorXd& at) {
        return log_marginal_likelihood({map, features}, y, Hyperparameters::from_logs(at), nullptr);
      },
      logs, gradient);
}

TEST(MarginalLikelihood, GradientIsThatOfItsValueWhereSomeOutputsAreDoubtful) {
  const std::vector<Column> columns = mixed_columns();
  const FeatureMap map(columns);
  const RowMatrix features = map.map(mixed_points(25, 1));
  const Eigen::VectorXd y = outputs(25, 2);
  const Training data{map, features, outputs(25, 3).cwiseAbs2()};
  const Eigen::VectorXd logs = some_hyperparameters(4).to_logs();

  Eigen::VectorXd gradient;
  log_marginal_likelihood(data, y, Hyperparameters::from_logs(logs), &gradient);

  expect_gradient(
      [&](const Eigen::VectorXd& at) {
        return log_marginal_likelihood(data, y, Hyperparameters::from_logs(at), nullptr);
      },
      logs, gradient);
}

TEST(GaussianProcess, DoubtsThatAllShareAreNoise) {
  const std::vector<Column> columns = mixed_columns();
  const FeatureMap map(columns);
  Hyperparameters exact = some_hyperparameters(4), noisy = exact;
  noisy.noise += 0.25;
  GaussianProcess one(map, exact), other(map, noisy);
  const RowMatrix features = map.map(mixed_points(20, 1)), at = map.map(mixed_points(5, 9));
  one.append(features, Eigen::VectorXd::Constant(20, 0.25));
  other.append(features);
  const Eigen::VectorXd y = outputs(20, 2);
  one.set_outputs(y);
  other.set_outputs(y);

  EXPECT_LT((one.fitted() - other.fitted()).cwiseAbs().maxCoeff(), 1e-12);
  const Prediction a = one.predict(at, false), b = other.predict(at, false);
  EXPECT_LT((a.mean - b.mean).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((a.variance - b.variance).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_NEAR(log_marginal_likelihood({map, features, Eigen::VectorXd::Constant(20, 0.25)}, y,
                                      exact, nullptr),
              log_marginal_likelihood({map, features}, y, noisy, nullptr), 1e-10);
}

TEST(GaussianProcess, AnOutputInGreatDoubtHasNoInfluence) {
  const std::vector<Column> columns = mixed_columns();
  GaussianProcess with(FeatureMap(columns), some_hyperparameters(4)), without = with;
  const RowMatrix features = with.map().map(mixed_points(10, 1));
  Eigen::VectorXd doubts = Eigen::VectorXd::Zero(10), y = outputs(10, 2);
  doubts[9] = 1e12;
  with.append(features, doubts);
  with.set_outputs(y);
  without.append(features.leftCols(9));
  without.set_outputs(y.head(9));

  const RowMatrix at = with.map().map(mixed_points(5, 9));
  EXPECT_LT((with.predict(at, false).mean - without.predict(at, false).mean).cwiseAbs().maxCoeff(),
            1e-9);
}

TEST(LogPrior, GradientIsThatOfItsValueAndVanishesAtTheMode) {
  const Eigen::VectorXd logs = some_hyperparameters(5).to_logs();
  Eigen::VectorXd gradient;
  log_prior(Hyperparameters::from_logs(logs), &gradient);
  expect_gradient(
      [](const Eigen::VectorXd& at) { return log_prior(Hyperparameters::from_logs(at), nullptr); },
      logs, gradient);

  log_prior(Hyperparameters::prior_mode(5), &gradient);
  EXPECT_LT(gradient.cwiseAbs().maxCoeff(), 1e-12);
}

TEST(Fit, IsNotLessLikelyThanThePriorsMode) {
  const FeatureMap map(std::vector<Column>(3));
  Stream stream(root_key(8));
  RowMatrix points(40, 3);
  for (Eigen::Index i = 0; i < points.size(); ++i) points.data()[i] = stream.uniform();
  const Eigen::VectorXd y = (5 * points.col(0)).array().sin() + 0.1 * points.col(1).array();
  const auto value = [&](const Hyperparameters& at) {
    return log_marginal_likelihood({map, map.map(points)}, y, at, nullptr) + log_prior(at, nullptr);
  };

  const Fit fit = fit_hyperparameters({map, map.map(points)}, y);
  const Hyperparameters& found = fit.at;

  EXPECT_GT(value(found), value(Hyperparameters::prior_mode(3)) + 1);
  EXPECT_NEAR(value(found), fit.log_posterior, 1e-9);
  const Fit start = most_probable_starts({map, map.map(points)}, y).at(0);
  EXPECT_NEAR(value(start.at), start.log_posterior, 1e-9);
  EXPECT_LE(start.log_posterior, fit.log_posterior);
  EXPECT_LT(found.lengthscales[0], found.lengthscales[2]) << "the third column has no influence";
}

TEST(Kernel, InactiveParametersHaveNoInfluenceAndSeparate) {
  const std::vector<Column> columns = mixed_columns();
  const FeatureMap map(columns);
  RowMatrix points(4, 4);
  points << 0.3, 0.5, 0.1, 0.125,  //
      0.3, 0.5, 0.9, 0.875,        //
      0.3, 0.5, kNan, kNan,        //
      0.3, 0.5, kNan, kNan;
  RowMatrix k;
  map.kernel(Eigen::VectorXd::Constant(4, 0.7), map.map(points), map.map(points), false, k,
             nullptr);

  EXPECT_NEAR(k(0, 2), k(1, 2), 1e-15) << "whatever value the active one has";
  EXPECT_EQ(k(2, 3), 1);
  EXPECT_LT(k(0, 2), 0.9);
}

TEST(Kernel, IsPositiveDefiniteOverMixedPoints) {
  const std::vector<Column> columns = mixed_columns();
  const FeatureMap map(columns);
  const RowMatrix features = map.map(mixed_points(60, 3));
  for (const double length : {0.05, 0.5, 5.0}) {
    RowMatrix k;
    map.kernel(Eigen::VectorXd::Constant(4, length), features, features, false, k, nullptr);
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> eigen(k);
    EXPECT_GT(eigen.eigenvalues().minCoeff(), -1e-10) << length;
  }
}

TEST(GaussianProcess, PredictionsSlopesAreThoseOfItsValues) {
  const GaussianProcess gp = mixed_gp(20);
  const RowMatrix points = mixed_points(6, 9);
  const RowMatrix features = gp.map().map(points);
  const Prediction at = gp.predict(features, true);
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    for (const bool of_mean : {true, false}) {
      const RowMatrix slopes = of_mean ? at.mean_slope.col(i) : at.variance_slope.col(i);
      // By the numeric columns: the others do not move continuously.
      const Eigen::VectorXd gradient = gp.map().pull_back(points.row(i), slopes).row(0);
      const auto f = [&](const Eigen::VectorXd& moved) {
        RowMatrix point = points.row(i);
        point(0, 0) = moved[0];
        if (!is_inactive(point(0, 2))) point(0, 2) = moved[1];
        const Prediction there = gp.predict(gp.map().map(point), false);
        return of_mean ? there.mean[0] : there.variance[0];
      };
      const double second = is_inactive(points(i, 2)) ? 0.5 : points(i, 2);
      expect_gradient(f, Eigen::Vector2d(points(i, 0), second),
                      Eigen::Vector2d(gradient[0], gradient[2]));
    }
  }
}

TEST(LogEi, GradientIsThatOfItsValueFarIntoTheTail) {
  const GaussianProcess gp = mixed_gp(20);
  const RowMatrix points = mixed_points(8, 9);
  for (const double best : {3.0, 0.0, -3.0, -30.0}) {
    RowMatrix gradient;
    const LogExpectedImprovement promise(gp, best);
    promise.value(points, &gradient);
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      const auto f = [&](const Eigen::VectorXd& moved) {
        RowMatrix point = points.row(i);
        point(0, 0) = moved[0];
        return promise.value(point, nullptr)[0];
      };
      expect_gradient(f, points.row(i).head(1), gradient.row(i).head(1));
    }
  }
}

TEST(LogEi, ScreeningIsNeverBelowTheExactValue) {
  const GaussianProcess gp = mixed_gp(30);
  const RowMatrix points = mixed_points(200, 11);
  const LogExpectedImprovement promise(gp, -0.5);
  EXPECT_GE((promise.bound(points) - promise.value(points, nullptr)).minCoeff(), -1e-12);
}

TEST(GaussianProcess, PendingPointsTakeVarianceAwayAndLeaveTheMean) {
  GaussianProcess gp = mixed_gp(15);
  const RowMatrix point = gp.map().map(mixed_points(1, 77));
  const Prediction before = gp.predict(point, false);

  gp.append_pending(point);
  const Prediction after = gp.predict(point, false);

  EXPECT_EQ(after.mean[0], before.mean[0]);
  EXPECT_LT(after.variance[0], 1e-3 * before.variance[0]);
}

TEST(GaussianProcess, WithOnePointAndWithNoneIsThePriorElsewhere) {
  GaussianProcess gp(FeatureMap(std::vector<Column>(2)), some_hyperparameters(2));
  RowMatrix points(2, 2);
  points << 0.1, 0.1, 0.9, 0.9;
  const Prediction prior = gp.predict(gp.map().map(points), true);
  EXPECT_EQ(prior.mean[0], 0);
  EXPECT_EQ(prior.variance[0], 1.3);
  EXPECT_EQ(prior.mean_slope.cwiseAbs().maxCoeff(), 0);

  gp.append(gp.map().map(points.topRows(1)));
  gp.set_outputs(Eigen::VectorXd::Constant(1, 2.0));
  const Prediction posterior = gp.predict(gp.map().map(points), false);
  EXPECT_NEAR(posterior.mean[0], 2 * 1.3 / 1.32, 1e-12);
  EXPECT_NEAR(posterior.variance[1], 1.3, 0.1);
}

TEST(GaussianProcess, DuplicatedPointsAreHarmless) {
  GaussianProcess gp(FeatureMap(std::vector<Column>(1)),
                     {Eigen::VectorXd::Constant(1, 0.5), 1e-4, 1});
  const RowMatrix points = RowMatrix::Constant(80, 1, 0.4);
  gp.append(gp.map().map(points));
  gp.set_outputs(outputs(80, 4));
  const Prediction at = gp.predict(gp.map().map(points.topRows(1)), true);
  EXPECT_NEAR(at.mean[0], outputs(80, 4).mean(), 1e-4);
  EXPECT_GT(at.variance[0], 0);
  EXPECT_TRUE(at.variance_slope.allFinite());
}

TEST(RefitSize, IsEveryResultUpToFiftyThenEachTwentieth) {
  EXPECT_EQ(refit_size(1), 1);
  EXPECT_EQ(refit_size(49), 49);
  EXPECT_EQ(refit_size(51), 50);
  EXPECT_EQ(refit_size(52), 52);
  for (Eigen::Index n = 50; n < 20'000; n += 37) {
    EXPECT_LE(refit_size(n), n);
    EXPECT_GT(refit_size(n), n - 2 - std::min<Eigen::Index>(n / 20, 300));
    EXPECT_EQ(refit_size(refit_size(n)), refit_size(n));
  }
}

TEST(ChooseRows, KeepsTheBestAndTheLatest) {
  Eigen::VectorXd losses(1000);
  for (Eigen::Index i = 0; i < 1000; ++i) losses[i] = std::abs(static_cast<double>(i) - 300);
  losses[500] = kNan;
  const auto rows = choose_rows(losses, 90);

  EXPECT_EQ(rows.size(), 90u);
  EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
  EXPECT_EQ(std::set<Eigen::Index>(rows.begin(), rows.end()).size(), 90u);
  EXPECT_TRUE(std::ranges::count(rows, 300));
  EXPECT_TRUE(std::ranges::count(rows, 999));
  EXPECT_TRUE(std::ranges::any_of(rows, [](Eigen::Index i) { return i < 200; }));
}

}  // namespace
}  // namespace betatune
