#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/cmaes/fold.hpp"
#include "optimizer/numerics/normal_quantile.hpp"
#include "optimizer/numerics/symmetric_eigen.hpp"
#include "tests/support/search_race.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

RowMatrix random_symmetric(Eigen::Index n, std::uint64_t seed) {
  Stream stream(root_key(seed));
  RowMatrix a(n, n);
  for (Eigen::Index i = 0; i < a.size(); ++i) a.data()[i] = stream.normal();
  return a + RowMatrix(a.transpose());
}

TEST(SymmetricEigen, ReconstructsTheMatrixWithOrthonormalRows) {
  for (const Eigen::Index n : {0, 1, 2, 3, 10, 41}) {
    const RowMatrix a = random_symmetric(n, 3);
    const SymmetricEigen eigen = symmetric_eigen(a);
    const RowMatrix again = eigen.vectors.transpose() * eigen.values.asDiagonal() * eigen.vectors;
    const RowMatrix identity = eigen.vectors * eigen.vectors.transpose();
    EXPECT_LT((again - a).norm(), 1e-12 * (1 + a.norm())) << n;
    EXPECT_LT((identity - RowMatrix::Identity(n, n)).norm(), 1e-12) << n;
  }
}

TEST(SymmetricEigen, ValuesAreEigens) {
  const RowMatrix a = random_symmetric(12, 5);
  Eigen::VectorXd ours = symmetric_eigen(a).values;
  std::sort(ours.begin(), ours.end());

  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> reference{Eigen::MatrixXd(a)};

  EXPECT_LT((ours - reference.eigenvalues()).norm(), 1e-12 * a.norm());
}

TEST(SymmetricEigen, LivesWithDiagonalAndSingularMatrices) {
  RowMatrix rank_one = RowMatrix::Ones(5, 5);
  EXPECT_NEAR(symmetric_eigen(rank_one).values.maxCoeff(), 5, 1e-12);
  EXPECT_EQ(symmetric_eigen(RowMatrix::Identity(4, 4)).values, Eigen::VectorXd::Ones(4));
  EXPECT_EQ(symmetric_eigen(RowMatrix::Zero(4, 4)).values, Eigen::VectorXd::Zero(4));
}

/// Probability that a stretched draw lies beyond `border`.
double beyond(const MarginInput& in, const Margin& kept, double border) {
  return normal_cdf(-std::abs(border - kept.mean) / (in.deviation * kept.stretch));
}

TEST(CmaMargin, EveryCellIsLeftWithAtLeastTheMargin) {
  for (const double deviation : {1e-9, 1e-3, 0.05, 0.4}) {
    for (const double mean : {0.41, 0.5, 0.59}) {
      MarginInput in{mean, deviation, 1, {0.4, 0.6}, 0.05};
      const Margin kept = keep_margin(in);
      EXPECT_GE(beyond(in, kept, 0.4), 0.5 * 0.05 * 0.98);
      EXPECT_GE(beyond(in, kept, 0.6), 0.5 * 0.05 * 0.98);
      EXPECT_GT(kept.mean, 0.4);
      EXPECT_LT(kept.mean, 0.6);

      in.borders.high.reset();
      EXPECT_GE(beyond(in, keep_margin(in), 0.4), 0.05 * (1 - 1e-6));  // rounding near the border
    }
  }
}

TEST(CmaMargin, ALineIsLeftAlone) {
  const Margin kept = keep_margin({0.3, 1e-12, 1, {}, 0.1});
  EXPECT_EQ(kept.mean, 0.3);
  EXPECT_EQ(kept.stretch, 1);
}

TEST(CmaChoices, LearnTheBetterChoiceAndKeepAFloor) {
  ChoiceDistribution choices({3, 2});
  for (int generation = 0; generation < 200; ++generation) {
    choices.update({{2, 0}, {2, 0}, {1, 1}, {0, 1}});
  }
  EXPECT_GT(choices.probabilities(0)[2], 0.7);
  EXPECT_GT(choices.probabilities(0).minCoeff(), 0.01);
  EXPECT_NEAR(choices.probabilities(0).sum(), 1, 1e-9);
  EXPECT_GT(choices.probabilities(1)[0], 0.7);
}

TEST(CmaChoices, WhereInactiveNothingIsLearnt) {
  ChoiceDistribution choices({3});
  choices.update({{-1}, {-1}, {0}, {0}});
  EXPECT_NEAR(choices.probabilities(0)[0], 1.0 / 3, 1e-12);
}

double sphere(const Configuration& x) {
  double sum = 0;
  for (const double each : shifted(unit_point(x, 5), 5, 3)) sum += each * each;
  return sum;
}

TEST(CmaSearch, SolvesASphereInAThousandTrials) {
  HistoryBuilder study(unit_box(5));
  EXPECT_LT(run_study(study, *study.searcher("cmaes"), sphere, 1000), 1e-6);
}

TEST(CmaSearch, SolvesRosenbrock) {
  HistoryBuilder study(unit_box(5));
  const auto loss = [](const Configuration& x) {
    return rosenbrock(shifted(unit_point(x, 5), 2, 3));
  };
  EXPECT_LT(run_study(study, *study.searcher("cmaes"), loss, 4000), 1e-6);
}

TEST(CmaSearch, FindsTheCellOfAnIntegerSphere) {
  std::vector<Parameter> parameters = unit_box(2);
  parameters.push_back(integer("i", 0, 30));
  parameters.push_back(integer("j", 0, 3));
  HistoryBuilder study(parameters);
  const auto loss = [](const Configuration& x) {
    return std::pow(number(x, "x0") - 0.7, 2) + std::pow(number(x, "x1") - 0.2, 2) +
           std::pow(number(x, "i") - 23, 2) + std::pow(number(x, "j") - 3, 2);
  };
  EXPECT_LT(run_study(study, *study.searcher("cmaes"), loss, 800), 1e-4);
}

TEST(CmaSearch, AStragglerJoinsItsGenerationWhetherTheCacheIsWarmOrCold) {
  HistoryBuilder study(unit_box(3));
  const auto warm = study.searcher("cmaes");
  std::optional<TrialId> straggler;
  for (std::uint64_t i = 0; i < 90; ++i) {
    const Key key = fold_in(root_key(6), i);
    const auto next = warm->suggest(study.history(), 1, key);
    if (i % 7 == 0) {
      const auto cold = study.searcher("cmaes")->suggest(study.history(), 1, key);
      ASSERT_EQ(next.at(0).configuration, cold.at(0).configuration) << i;
      ASSERT_EQ(next.at(0).note, cold.at(0).note) << i;
    }
    const TrialId id = study.add(next.at(0), TrialState::running).id;
    const double loss = unit_point(next[0].configuration, 3)[0];
    if (i == 5) {
      straggler = id;
    } else {
      study.finish(id, loss);
    }
    if (i == 60) study.finish(*straggler, 0.5);
  }
}

TEST(CmaSearch, StartsAtTheBestOfWhatWasTriedBefore) {
  HistoryBuilder study(unit_box(2));
  study.add_result({{"x0", 0.9}, {"x1", 0.1}}, "enqueued", 1);
  study.add_result({{"x0", 0.2}, {"x1", 0.3}}, "enqueued", 2);

  const auto next = study.searcher("cmaes")->suggest(study.history(), 1, root_key(1));

  const Json mean = next.at(0).note["mean"];
  EXPECT_NEAR(mean[0].get<double>(), 0.9, 1e-9);
  EXPECT_NEAR(mean[1].get<double>(), 0.1, 1e-9);
}

TEST(CmaSearch, RestartsWithLargerGenerationsWhenNothingMovesAnyMore) {
  HistoryBuilder study(unit_box(2));
  const auto flat = [](const Configuration&) { return 1.0; };
  run_study(study, *study.searcher("cmaes"), flat, 400);
  int restart = 0;
  for (const Trial& trial : study.history().trials) {
    if (trial.note) restart = std::max(restart, trial.note->value("restart", 0));
  }
  EXPECT_GE(restart, 1);
}

}  // namespace
}  // namespace betatune
