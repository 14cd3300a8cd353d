// The model of population-based bandits: kernel, posterior and bounds against values computed
// elsewhere, and what it believes of made-up gains.

#include "optimizer/pbt/gain_model.hpp"

#include <array>
#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/gradient_check.hpp"

namespace betatune {
namespace {

using test::expect_gradient;

// ---- the process ----

const std::vector<Column>& two_numbers() {
  static const std::vector<Column> columns(2);
  return columns;
}

TimedFeatures timed(const FeatureMap& map, const std::vector<std::array<double, 3>>& rows) {
  RowMatrix points(std::ssize(rows), 2);
  TimedFeatures out{{}, Eigen::VectorXd(std::ssize(rows))};
  for (Eigen::Index i = 0; i < std::ssize(rows); ++i) {
    const auto& row = rows[static_cast<std::size_t>(i)];
    points.row(i) << row[0], row[1];
    out.times[i] = row[2];
  }
  out.features = map.map(points);
  return out;
}

/// Four results of two numbers. What is expected of them is from numpy 2 in double precision:
///   K(a, b) = 1.7 exp(-sum(((a.x - b.x) / l)^2) / 2) (1 - 0.2)^(|a.t - b.t| / 2), l = (0.3, 0.9)
///   A = K(X, X) + 0.05 I
///   log p = -y A^-1 y / 2 - log det A / 2 - 2 log(2 pi)
///   mean = K(Z, X) A^-1 y, variance = 1.7 - diag(K(Z, X) A^-1 K(X, Z))
struct FourResults {
  FeatureMap map{two_numbers()};
  TimedFeatures points = timed(map, {{.1, .8, 0}, {.4, .3, 1}, {.9, .5, 1}, {.2, .2, 3}});
  Eigen::VectorXd y = Eigen::Vector4d(-1, .4, 1.1, -.5);
  DriftHyperparameters at{{Eigen::Vector2d(.3, .9), .05, 1.7}, .2};
  TimedFeatures elsewhere = timed(map, {{.5, .5, 4}, {.15, .25, 4}});
};

TEST(DriftKernel, IsTheFormula) {
  const FourResults it;

  const RowMatrix k = drift_kernel(it.map, it.at, it.points, it.points, false);

  EXPECT_NEAR(k(0, 1), 0.79036176160949434, 1e-14);
  EXPECT_NEAR(k(0, 3), 0.92139647361858534, 1e-14);
  EXPECT_NEAR(k(1, 2), 0.41356027973713833, 1e-14);
  EXPECT_EQ(k(2, 1), k(1, 2));
  EXPECT_EQ(k(0, 0), 1.7);
}

TEST(DriftKernel, ForgetsTheMoreTheLongerAgo) {
  const FourResults it;
  const TimedFeatures one = timed(it.map, {{.5, .5, 0}});
  const TimedFeatures later = timed(it.map, {{.5, .5, 0}, {.5, .5, 2}, {.5, .5, 4}});

  const RowMatrix k = drift_kernel(it.map, it.at, one, later, false);

  // Epsilon is what one unit of time takes of the covariance's square.
  EXPECT_NEAR(k(0, 1) / k(0, 0), 1 - .2, 1e-14);
  EXPECT_NEAR(k(0, 2) / k(0, 0), (1 - .2) * (1 - .2), 1e-14);
}

TEST(DriftLikelihood, IsTheFormula) {
  const FourResults it;

  EXPECT_NEAR(drift_log_likelihood({it.map, it.points, it.y}, it.at, nullptr), -5.1709028346465988,
              1e-12);
}

TEST(DriftLikelihood, HasTheGradientOfItsDifferences) {
  const FourResults it;
  const DriftData data{it.map, it.points, it.y};
  Eigen::VectorXd gradient, prior;
  drift_log_likelihood(data, it.at, &gradient);
  drift_log_prior(it.at, &prior);

  expect_gradient(
      [&](const Eigen::VectorXd& x) {
        return drift_log_likelihood(data, DriftHyperparameters::from_logs(x), nullptr);
      },
      it.at.to_logs(), gradient);
  expect_gradient(
      [](const Eigen::VectorXd& x) {
        return drift_log_prior(DriftHyperparameters::from_logs(x), nullptr);
      },
      it.at.to_logs(), prior);
}

TEST(DriftHyperparameters, ComeBackFromTheirLogarithms) {
  const FourResults it;

  const DriftHyperparameters back = DriftHyperparameters::from_logs(it.at.to_logs());

  EXPECT_NEAR(back.forgetting, it.at.forgetting, 1e-15);
  EXPECT_NEAR(back.place.noise, it.at.place.noise, 1e-15);
}

/// A function that drifts: what is known of it far back is worth little.
TEST(DriftFit, FindsThatTheFunctionDriftsOrDoesNot) {
  const FeatureMap map(two_numbers());
  const auto forgetting_of = [&](double drift) {
    std::vector<std::array<double, 3>> rows;
    Eigen::VectorXd y(60);
    Stream stream(root_key(1));
    for (Eigen::Index i = 0; i < y.size(); ++i) {
      const double t = static_cast<double>(i) / 6, x = stream.uniform();
      rows.push_back({x, 0.5, t});
      y[i] = 1.4 * std::cos(6 * x + drift * t);
    }
    const TimedFeatures points = timed(map, rows);
    return fit_drift({map, points, y}).forgetting;
  };

  EXPECT_LT(forgetting_of(0), 0.01);
  EXPECT_GT(forgetting_of(1), 0.1);
}

TEST(DriftProcess, PredictsAsTheFormula) {
  const FourResults it;
  const DriftProcess process(it.map, it.at, it.points, it.y);

  const DriftProcess::Beliefs found = process.predict(it.elsewhere);

  EXPECT_NEAR(found.mean[0], 0.37546314870245351, 1e-13);
  EXPECT_NEAR(found.mean[1], -0.55122232342085942, 1e-13);
  EXPECT_NEAR(found.variance[0], 0.89117463589765911, 1e-13);
  EXPECT_NEAR(found.variance[1], 0.40373560539647713, 1e-13);
}

TEST(DriftProcess, TakesVarianceAwayForWhatIsPendingAndLeavesTheMean) {
  const FourResults it;
  DriftProcess process(it.map, it.at, it.points, it.y);
  const DriftProcess::Beliefs before = process.predict(it.elsewhere);

  process.append_pending(timed(it.map, {{.2, .3, 4}}));

  // numpy: the same formula with the fifth point, of noise 1e-6.
  const DriftProcess::Beliefs after = process.predict(it.elsewhere);
  EXPECT_EQ(after.mean, before.mean);
  EXPECT_NEAR(after.variance[0], 0.74071392267919478, 1e-12);
  EXPECT_NEAR(after.variance[1], 0.039688918917993199, 1e-12);
}

TEST(UpperBounds, AreTheFormula) {
  const FourResults it;
  const DriftProcess process(it.map, it.at, it.points, it.y);

  // numpy: sqrt(max(0, 0.2 log(0.4 n))), and mean + that of 10 sqrt(variance).
  EXPECT_EQ(ucb_weight(2), 0);
  EXPECT_NEAR(ucb_weight(3), 0.19095630746008618, 1e-15);
  EXPECT_NEAR(ucb_weight(50), 0.77404551204098992, 1e-15);
  const Eigen::VectorXd bounds = upper_bounds(process.predict(it.elsewhere), ucb_weight(10));
  EXPECT_NEAR(bounds[0], 0.87254068239674476, 1e-12);
  EXPECT_NEAR(bounds[1], -0.21664904500656001, 1e-12);
}

// ---- the model of gains ----

/// Members that are equally far and gain most at x = 0.7, whatever they begin with.
GainData gains_at(const std::vector<double>& x, double shift = 0, double stretch = 1) {
  GainData data;
  const Eigen::Index n = std::ssize(x);
  data.places = {Eigen::VectorXd::Ones(n), Eigen::VectorXd(n), RowMatrix(n, 1)};
  data.intervals = Eigen::VectorXd::Ones(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    const double at = x[static_cast<std::size_t>(i)],
                 before = 1 + 0.01 * static_cast<double>(i % 3);
    data.places.inputs(i, 0) = at;
    data.places.losses[i] = shift + stretch * before;
    data.after.emplace_back(shift + stretch * (before - 0.5 + (at - 0.7) * (at - 0.7)));
  }
  return data;
}

GainPlaces places_at(const std::vector<double>& x, double loss = 1, double time = 2) {
  const Eigen::Index n = std::ssize(x);
  GainPlaces out{Eigen::VectorXd::Constant(n, time), Eigen::VectorXd::Constant(n, loss),
                 RowMatrix(n, 1)};
  for (Eigen::Index i = 0; i < n; ++i) out.inputs(i, 0) = x[static_cast<std::size_t>(i)];
  return out;
}

const std::vector<double> kTried = {0.02, 0.1,  0.18, 0.26, 0.34, 0.42, 0.5,
                                    0.58, 0.66, 0.74, 0.82, 0.9,  0.98};

TEST(GainModel, ExpectsMostWhereMostWasGained) {
  const GainModel model({Column{}}, gains_at(kTried), 8);

  const Eigen::VectorXd mean = model.predict(places_at({0.1, 0.4, 0.7, 1.0})).mean;

  Eigen::Index best = 0;
  mean.maxCoeff(&best);
  EXPECT_EQ(best, 2);
  EXPECT_NEAR(model.loss_after(1, mean[2]), 0.5, 0.02);
}

TEST(GainModel, DoesNotChangeWhereLossesAreShiftedOrStretched) {
  const GainModel model({Column{}}, gains_at(kTried), 8);
  const GainModel other({Column{}}, gains_at(kTried, 300, 7), 8);

  const auto one = model.predict(places_at({0.3, 0.6}));
  const auto two = other.predict(places_at({0.3, 0.6}, 307));

  // Losses of 300 lose eight bits of the differences, and the fit ends where it gains 1e-6.
  EXPECT_LT((one.mean - two.mean).cwiseAbs().maxCoeff(), 1e-3);
  EXPECT_LT((one.variance - two.variance).cwiseAbs().maxCoeff(), 1e-3);
}

TEST(GainModel, KeepsAwayFromWhereMembersFailed) {
  GainData data = gains_at(kTried);
  const GainModel without({Column{}}, data, 8);
  for (const double x : {0.7, 0.75}) {
    data.places.times.conservativeResize(data.places.size() + 1);
    data.places.times.tail(1) << 1;
    data.places.losses.conservativeResize(data.places.size());
    data.places.losses.tail(1) << 1;
    data.places.inputs.conservativeResize(data.places.size(), 1);
    data.places.inputs.bottomRows(1) << x;
    data.intervals.conservativeResize(data.places.size());
    data.intervals.tail(1) << 1;
    data.after.emplace_back();
  }

  const GainModel with({Column{}}, data, 8);

  EXPECT_LT(with.predict(places_at({0.72})).mean[0],
            without.predict(places_at({0.72})).mean[0] - 0.5);
}

TEST(GainModel, TakesAnyLossesThatAreFinite) {
  for (const double stretch : {0.0, 1e-300, 1e300}) {
    const GainModel model({Column{}}, gains_at(kTried, 0, stretch), 8);

    const auto found = model.predict(places_at({0.5}, stretch));

    EXPECT_TRUE(std::isfinite(found.mean[0])) << stretch;
    EXPECT_GT(found.variance[0], 0) << stretch;
  }
}

}  // namespace
}  // namespace betatune
