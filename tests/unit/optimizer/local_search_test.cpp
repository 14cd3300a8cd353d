#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/local/local_step.hpp"
#include "optimizer/local/near_pairs.hpp"
#include "optimizer/local/taylor_model.hpp"
#include "tests/support/gradient_check.hpp"
#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

RowMatrix random_points(Eigen::Index n, Eigen::Index d, double radius, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix out(n, d);
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    out.data()[i] = radius * (2 * stream.uniform() - 1);
  }
  return out;
}

/// A curved valley: no quadratic.
double valley(const Eigen::Ref<const Eigen::RowVectorXd>& z) {
  double sum = 0.3 * z[0];
  for (Eigen::Index j = 0; j + 1 < z.size(); ++j) {
    sum += std::pow(z[j + 1] - 0.5 * z[j] * z[j], 2) + 0.1 * z[j];
  }
  return sum;
}

Eigen::VectorXd valley_at(const RowMatrix& z) {
  Eigen::VectorXd y(z.rows());
  for (Eigen::Index i = 0; i < z.rows(); ++i) y[i] = valley(z.row(i));
  return y;
}

TEST(TaylorModel, GradientOfThePosteriorIsThatOfItsValue) {
  const RowMatrix z = random_points(12, 3, 1.2, 1);
  const TaylorModel model(z, valley_at(z));
  const Eigen::VectorXd at = (Eigen::VectorXd(7) << 0.3, -0.5, -2, -4, -1.5, -3, -6).finished();
  const auto logs = [](const Eigen::VectorXd& from) {
    TaylorModel::Variances out;
    std::copy(from.begin(), from.end(), out.begin());
    return out;
  };
  Eigen::VectorXd gradient;
  model.log_posterior(logs(at), &gradient);
  expect_gradient([&](const Eigen::VectorXd& x) { return model.log_posterior(logs(x), nullptr); },
                  at, gradient);
}

TEST(TaylorModel, SlopesOfPredictionsAreThoseOfTheirValues) {
  const RowMatrix z = random_points(14, 3, 1.2, 2);
  TaylorModel model(z, valley_at(z));
  model.append_pending(Eigen::Vector3d(0.2, -0.1, 0.4));
  for (const Eigen::Vector3d& at :
       {Eigen::Vector3d(0.3, 0.2, -0.8), Eigen::Vector3d(-0.9, 0.1, 0)}) {
    const TaylorModel::Prediction found = model.predict(at, true);
    expect_gradient([&](const Eigen::VectorXd& x) { return model.predict(x, false).mean; }, at,
                    found.mean_slope);
    expect_gradient([&](const Eigen::VectorXd& x) { return model.predict(x, false).variance; }, at,
                    found.variance_slope, 1e-5);
  }
}

TEST(TaylorModel, FindsTheValleyThatItsValuesDetermine) {
  // 15 coefficients in two dimensions, 24 values: fourth order is determined.
  const RowMatrix z = random_points(24, 2, 1, 3);
  const TaylorModel model(z, valley_at(z));
  const RowMatrix elsewhere = random_points(20, 2, 0.8, 4);
  for (Eigen::Index i = 0; i < elsewhere.rows(); ++i) {
    const auto at = model.predict(elsewhere.row(i).transpose(), false);
    EXPECT_NEAR(at.mean, valley(elsewhere.row(i)), 1e-3);
  }
}

TEST(TaylorModel, KnowsHowUnsureItIs) {
  // Few values in many dimensions.
  const RowMatrix z = random_points(12, 8, 1, 5);
  const TaylorModel model(z, valley_at(z));
  const RowMatrix elsewhere = random_points(100, 8, 0.7, 6);
  int within = 0;
  for (Eigen::Index i = 0; i < elsewhere.rows(); ++i) {
    const auto at = model.predict(elsewhere.row(i).transpose(), false);
    within += std::abs(at.mean - valley(elsewhere.row(i))) < 2 * std::sqrt(at.variance) ? 1 : 0;
  }
  EXPECT_GT(within, 80);
}

TEST(TaylorModel, PendingPointsTakeVarianceAwayAndLeaveTheMean) {
  const RowMatrix z = random_points(5, 4, 1, 7);
  TaylorModel model(z, valley_at(z));
  const Eigen::VectorXd at = Eigen::VectorXd::Constant(4, 0.5);
  const TaylorModel::Prediction before = model.predict(at, false);
  model.append_pending(at);
  const TaylorModel::Prediction after = model.predict(at, false);
  EXPECT_EQ(after.mean, before.mean);
  EXPECT_LT(after.variance, 1e-3 * before.variance);
}

/// Observations in the unit cube, with the loss of `f` and noise on it.
template <class F>
Observations observed(const RowMatrix& points, F f, double noise = 0) {
  Stream stream(root_key(11));
  Observations data;
  data.points = points;
  data.losses.resize(points.rows());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    data.losses[i] = f(points.row(i)) + noise * stream.normal();
    data.trials.push_back(static_cast<std::size_t>(i));
  }
  data.finite = points.rows();
  return data;
}

double bowl(const Eigen::Ref<const Eigen::RowVectorXd>& u) {
  return (u.array() - 0.37).square().sum();
}

Eigen::Index lowest(const Observations& data) {
  Eigen::Index row = 0;
  data.losses.minCoeff(&row);
  return row;
}

TEST(LocalStep, GoesToTheBottomOfABowl) {
  const HistoryBuilder study(unit_box(4));
  Observations data = observed(random_points(9, 4, 0.5, 8).array() + 0.5, bowl);
  for (int step = 0; step < 3; ++step) {
    const auto found = propose_local(study.space(), data, {lowest(data), 0.4, 0}, RowMatrix(0, 4),
                                     root_key(static_cast<std::uint64_t>(step)));
    ASSERT_TRUE(found);
    data.points.conservativeResize(data.points.rows() + 1, Eigen::NoChange);
    data.points.bottomRows(1) = found->point.transpose();
    data = observed(data.points, bowl);
  }
  EXPECT_LT(data.losses.minCoeff(), 1e-4);
}

TEST(LocalStep, StaysWithinTheRegionAndTheSpace) {
  const HistoryBuilder study(unit_box(3));
  const Observations data = observed(random_points(8, 3, 0.5, 9).array() + 0.5,
                                     [](const auto& u) { return u[0] - 2 * u[1] + 0.5 * u[2]; });
  const Eigen::Index centre = lowest(data);
  for (const double radius : {0.3, 0.01, 1e-6}) {
    const auto found =
        propose_local(study.space(), data, {centre, radius, 0}, RowMatrix(0, 3), root_key(1));
    ASSERT_TRUE(found) << radius;
    EXPECT_LE((found->point.transpose() - data.points.row(centre)).cwiseAbs().maxCoeff(),
              radius * (1 + 1e-9));
    EXPECT_GE(found->point.minCoeff(), 0);
    EXPECT_LE(found->point.maxCoeff(), 1);
  }
}

TEST(LocalStep, RegionIsStretchedAlongEachParameter) {
  const HistoryBuilder study(unit_box(2));
  const Observations data = observed(random_points(8, 2, 0.2, 9).array() + 0.5,
                                     [](const auto& u) { return u[0] + u[1]; });
  const Eigen::Index centre = lowest(data);
  const LocalProblem problem{centre, 0.01, 0, Eigen::Vector2d(4, 0.25)};
  const auto found = propose_local(study.space(), data, problem, RowMatrix(0, 2), root_key(1));
  ASSERT_TRUE(found);
  const Eigen::VectorXd step = found->point - data.points.row(centre).transpose();
  EXPECT_NEAR(step[0], -0.04, 1e-6);
  EXPECT_NEAR(step[1], -0.0025, 1e-6);
}

TEST(LocalStep, LeavesChoicesAsTheyAre) {
  std::vector<Parameter> parameters = unit_box(2);
  parameters.push_back(choice("kind", {Value(true), Value(false)}));
  const HistoryBuilder study(std::move(parameters));
  RowMatrix points = random_points(8, 3, 0.5, 9).array() + 0.5;
  for (Eigen::Index i = 0; i < 8; ++i) points(i, 2) = i % 2 == 0 ? 0.25 : 0.75;
  const Observations data =
      observed(points, [](const auto& u) { return u[0] + u[1] + (u[2] < 0.5 ? 0.0 : -5.0); });
  const auto found =
      propose_local(study.space(), data, {lowest(data), 0.1, 0}, RowMatrix(0, 3), root_key(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->point[2], 0.75);
}

TEST(LocalStep, ThereIsNoneWithoutNumbers) {
  const HistoryBuilder study({choice("kind", {Value(true), Value(false)})});
  const Observations data =
      observed(RowMatrix::Constant(3, 1, 0.25), [](const auto& u) { return u[0]; });
  EXPECT_FALSE(propose_local(study.space(), data, {0, 0.1, 0}, RowMatrix(0, 1), root_key(1)));
}

/// A trial of the local search that went to `loss`.
void add_local(HistoryBuilder& study, const LocalNote& note, double loss) {
  const double x = 0.5 + 1e-3 * static_cast<double>(study.history().trials.size());
  Trial& trial = study.add(Configuration{{"x0", Value(x)}}, kLocalOrigin, TrialState::running);
  trial.note = std::make_shared<const Json>(note.to_json());
  study.finish(trial.id, loss);
}

HistoryBuilder study_with_a_best_of(double loss) {
  HistoryBuilder study(unit_box(1));
  for (int i = 0; i < 5; ++i) {
    study.add_result({{"x0", Value(0.1 * i)}}, "gp", loss + 4 - i);
  }
  return study;
}

TrustRegion region_of(const HistoryBuilder& study) {
  ObservationCollector collector;
  return fold_trust_region(study.history(), collector.collect(study.history()));
}

TEST(TrustRegion, IsRoundTheBestResult) {
  const HistoryBuilder study = study_with_a_best_of(1);
  const TrustRegion region = region_of(study);
  EXPECT_EQ(region.centre, 4u);
  EXPECT_EQ(region.loss, 1);
  EXPECT_FALSE(region_of(HistoryBuilder(unit_box(1))).centre);
}

TEST(TrustRegion, GrowsAfterAGoodStepToItsBorderAndShrinksAfterASureFailure) {
  HistoryBuilder study = study_with_a_best_of(1);
  const double before = region_of(study).radius;
  add_local(study, {before, 0.2, 0.1, 1.0, 1}, 0.8);
  EXPECT_EQ(region_of(study).radius, 2 * before);
  add_local(study, {2 * before, 0.2, 0.1, 1.0, 0.8}, 0.9);
  EXPECT_EQ(region_of(study).radius, before);
}

TEST(TrustRegion, FailuresOfStepsTakenAtOnceShrinkItOnce) {
  HistoryBuilder study = study_with_a_best_of(1);
  const double before = region_of(study).radius;
  for (int i = 0; i < 4; ++i) add_local(study, {before, 0.2, 0.1, 1.0, 1}, 1.5);
  EXPECT_EQ(region_of(study).radius, before / 2);
}

TEST(TrustRegion, AnUnsureFailureTeachesAndDoesNotShrink) {
  HistoryBuilder study = study_with_a_best_of(1);
  const double before = region_of(study).radius;
  add_local(study, {before, 0.2, 0.3, 1.0, 1}, 1.5);
  EXPECT_EQ(region_of(study).radius, before);
}

TEST(TrustRegion, RatesTellWhoFoundBetterConfigurations) {
  HistoryBuilder study = study_with_a_best_of(1);
  double loss = 1;
  for (int i = 0; i < 6; ++i) {
    study.add_result({{"x0", Value(0.9 + 0.01 * i)}}, "gp", 7);
    add_local(study, {0.1, 0.1, 0.1, 1.0, loss}, loss - 0.1);
    loss -= 0.1;
  }
  const TrustRegion region = region_of(study);
  EXPECT_GT(region.local_rate, 0.8);
  EXPECT_LT(region.other_rate, 0.6);
  EXPECT_EQ(region.local, 6);
}

TEST(TrustRegion, FollowsWhatCurvesAreExpectedToEndIn) {
  HistoryBuilder study(unit_box(1));
  study.spec().fidelity = FidelitySpec{"epoch", 1, 3, true};
  // Trained to the end: a change by -4. The second is not, and will be better then.
  study.finish(study.add({{"x0", Value(0.1)}}, "gp", TrialState::running).id, 6, 3);
  study.edit().trials.edit(TrialId{0}).observations = {{1, AttemptId{1}, 10.0, false, 0},
                                                       {3, AttemptId{1}, 6.0, false, 0}};
  Trial& paused = study.add({{"x0", Value(0.2)}}, "gp", TrialState::paused);
  paused.loss = 9;
  paused.observations = {{1, AttemptId{1}, 9.0, false, 0}};

  const TrustRegion region = region_of(study);

  EXPECT_EQ(region.centre, 1u);
  EXPECT_LT(region.loss, 6);
  EXPECT_EQ(region.others, 2);
}

TEST(TrustRegion, ConvergesWhenStepsPromiseNothingWorthATrial) {
  HistoryBuilder study = study_with_a_best_of(1);
  add_local(study, {0.01, 1e-7, 1e-9, 0.5, 1}, 1 - 1e-7);
  EXPECT_FALSE(region_of(study).converged) << "the region is still large";
  add_local(study, {0.1, 1, 0.1, 1, 1}, 2);  // shrinks it
  add_local(study, {0.05, 1e-7, 1e-9, 0.5, 1}, 1 - 2e-7);
  EXPECT_TRUE(region_of(study).converged);
}

RowMatrix clustered_points(Eigen::Index n) {
  // A search has drawn together: pairs at all distances from 1e-4 to 0.1.
  RowMatrix points = random_points(n, 3, 1, 12);
  for (Eigen::Index i = 0; i < n; ++i) {
    points.row(i) *= 0.1 * std::pow(10.0, -3.0 * static_cast<double>(i) / static_cast<double>(n));
  }
  return points.array() + 0.5;
}

TEST(NoiseOfNearPairs, IsZeroForAnExactFunction) {
  const Observations data = observed(clustered_points(40), bowl);
  EXPECT_LT(noise_of_near_pairs(data), 1e-3);
}

TEST(NoiseOfNearPairs, FindsTheDeviationOfTheNoise) {
  const Observations data = observed(clustered_points(60), bowl, 0.05);
  EXPECT_GT(noise_of_near_pairs(data), 0.015);
  EXPECT_LT(noise_of_near_pairs(data), 0.15);
}

TEST(NoiseOfNearPairs, NeedsPairsInPlace) {
  const Observations data = observed(random_points(40, 3, 0.5, 1).array() + 0.5, bowl, 0.05);
  EXPECT_EQ(noise_of_near_pairs(data), 0);
}

}  // namespace
}  // namespace betatune
