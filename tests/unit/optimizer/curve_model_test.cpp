#include "optimizer/curves/curve_model.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/curves/prospects.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;
using testing::ElementsAre;

/// A study of one parameter whose trials have reported curves.
class Curves {
 public:
  explicit Curves(Step max) : study_({real("x", 0, 1)}) {
    study_.spec().fidelity = FidelitySpec{"epoch", 1, max, true};
  }
  TrialId add(double x, const std::vector<std::pair<Step, double>>& curve) {
    Trial& trial = study_.add({{"x", x}}, "test", TrialState::paused);
    for (const auto& [step, loss] : curve) {
      trial.observations.push_back({step, AttemptId{1}, loss, false, 0});
    }
    return trial.id;
  }
  Trial& edit(TrialId id) { return study_.edit().trials.edit(id); }
  CurveTable table() {
    return curve_table(study_.space(), *study_.spec().fidelity, study_.history().trials, encoded_);
  }
  const SearchSpace& space() const { return study_.space(); }
  FeatureMap map() const { return FeatureMap(study_.space().columns()); }

 private:
  HistoryBuilder study_;
  EncodedTrials encoded_;
};

TEST(CurveTable, HoldsTheLossesAtTheLevels) {
  Curves curves(27);
  curves.add(0.1, {{1, 9}, {2, 8}, {3, 7}, {4, 6}});
  curves.add(0.2, {{1, 5}, {9, 4}, {27, 3}});

  const CurveTable table = curves.table();

  EXPECT_THAT(table.levels, ElementsAre(1, 3, 9, 27));
  ASSERT_EQ(table.rows(), 2);
  EXPECT_EQ(table.losses(0, 0), 9);
  EXPECT_EQ(table.losses(0, 1), 7) << "step 4 says nothing of level 9 yet";
  EXPECT_TRUE(std::isnan(table.losses(0, 2)));
  EXPECT_TRUE(std::isnan(table.losses(1, 1)));
  EXPECT_EQ(table.losses(1, 3), 3);
  EXPECT_EQ(table.top_of(0), 1);
  EXPECT_EQ(table.top_of(1), 3);
  EXPECT_DOUBLE_EQ(table.points(1, 0), 0.2);
}

TEST(CurveTable, TakesTheLastLossBeforeALevelThatIsPassed) {
  Curves curves(100);
  curves.add(0.1, {{20, 5}, {40, 4}, {60, 3}});

  const CurveTable table = curves.table();

  EXPECT_THAT(table.levels, ElementsAre(27, 100)) << "nobody reported near 1, 3 and 9";
  EXPECT_EQ(table.losses(0, 0), 5);
  EXPECT_TRUE(std::isnan(table.losses(0, 1))) << "the trial is on its way there";
}

TEST(CurveTable, LeavesOutWhatHasNoCurve) {
  Curves curves(3);
  curves.add(0.1, {});
  curves.edit(curves.add(0.2, {{1, 5}})).outcome = Outcome::failed;
  curves.edit(curves.add(0.3, {{1, 5}})).outcome = Outcome::cancelled;
  curves.edit(curves.add(0.4, {{1, 5}})).repeats = TrialId{0};
  curves.add(2.5, {{1, 5}});  // from before the space was made smaller
  const TrialId last = curves.add(0.5, {{1, 5}});

  EXPECT_THAT(curves.table().trials, ElementsAre(last.n));
}

TEST(CurveScale, KeepsOrderAndComesBack) {
  Curves curves(3);
  for (const double loss : {-3.0, 0.0, 0.5, 7.0, 1e300}) curves.add(0.1, {{1, loss}});
  const CurveTable table = curves.table();
  const CurveScale scale = CurveScale::of(table);

  double before = -1;
  for (const double loss : {-3.0, 0.0, 0.5, 7.0, 1e9}) {
    EXPECT_GT(scale.output_of(loss), before);
    before = scale.output_of(loss);
    EXPECT_NEAR(scale.loss_of(before), loss, 1e-9 * std::max(1.0, std::abs(loss)));
    const double h = 1e-5;
    const double slope = (scale.loss_of(before + h) - scale.loss_of(before - h)) / (2 * h);
    EXPECT_NEAR(scale.slope_at(before), slope, 1e-5 * slope);
  }
  EXPECT_TRUE(std::isfinite(scale.output_of(1e300)));
  EXPECT_EQ(scale.output_of(-3), 0) << "the lowest";
}

TEST(CurveModel, KnowsWhereCurvesThatHaveEndedEnd) {
  Curves curves(9);
  curves.add(0.1, {{1, 4}, {3, 3}, {9, 2}});
  curves.add(0.6, {{1, 5}});
  const CurveTable table = curves.table();
  const CurveModel model(curves.map(), table);

  const CurveBeliefs ends = model.of_rows();

  EXPECT_EQ(ends.variance[0], 0);
  EXPECT_NEAR(model.scale().loss_of(ends.mean[0]), 2, 1e-12);
  EXPECT_GT(ends.variance[1], 0);
  EXPECT_LE(ends.own_variance[1], ends.variance[1]);
}

TEST(CurveModel, WalksOneTrialAsItWalksAll) {
  Curves curves(27);
  for (int i = 0; i < 6; ++i) {
    const double x = 0.15 * i;
    curves.add(x, {{1, 4 + x}, {3, 3 + x * x}, {9, 2 + x}, {27, 1 + x * x}});
  }
  curves.add(0.4, {{1, 4.2}, {3, 3.1}});
  const CurveTable table = curves.table();
  const CurveModel model(curves.map(), table);
  const CurveBeliefs all = model.of_rows();

  const CurveBeliefs one = model.beyond(6);

  ASSERT_EQ(one.mean.size(), 2) << "9 and 27";
  EXPECT_EQ(one.mean[1], all.mean[6]);
  EXPECT_EQ(one.variance[1], all.variance[6]);
  EXPECT_EQ(one.own_variance[1], all.own_variance[6]);
  EXPECT_GT(one.variance[0], 0);
  EXPECT_EQ(model.beyond(0).mean.size(), 0) << "it was trained to the end";
}

/// Slow where x is small, but ending the lower: who leads at the first step is last at the end.
double crossing(double x, double step) {
  const double start = 2 - std::sqrt(x), end = 0.2 + 0.5 * x * x;
  return end + (start - end) * (1 - std::log(step) / std::log(9.0));
}

TEST(CurveModel, LearnsFromAFewThatSlowOnesCatchUp) {
  Curves curves(9);
  for (int i = 0; i < 24; ++i) {
    const double x = (i + 0.5) / 24;
    std::vector<std::pair<Step, double>> curve = {{1, crossing(x, 1)}};
    if (i % 4 == 0) curve.insert(curve.end(), {{3, crossing(x, 3)}, {9, crossing(x, 9)}});
    curves.add(x, curve);
  }
  const CurveTable table = curves.table();
  const CurveModel model(curves.map(), table);

  const CurveBeliefs ends = model.of_rows();

  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    const double x = table.points(i, 0);
    EXPECT_NEAR(model.scale().loss_of(ends.mean[i]), crossing(x, 9), 0.05) << "x = " << x;
  }
  const CurveBeliefs unseen = model.of_new(Eigen::VectorXd::LinSpaced(9, 0.05, 0.95));
  for (Eigen::Index i = 0; i < 9; ++i) {
    const double x = 0.05 + 0.1125 * static_cast<double>(i);
    EXPECT_NEAR(model.scale().loss_of(unseen.mean[i]), crossing(x, 9), 0.05) << "x = " << x;
  }
}

TEST(CurveModel, IsTheSurerTheMoreHasBeenSeen) {
  // The standard deviation of what the last of 31 curves will end in, if every `each`-th of the
  // others has ended.
  const auto doubt = [](int each) {
    Curves curves(3);
    for (int i = 0; i < 31; ++i) {
      const double x = (i + 0.5) / 31;
      std::vector<std::pair<Step, double>> curve = {{1, 2 + x}};
      if (i < 30 && i % each == 0) curve.emplace_back(3, 1 + x - 0.5 * std::sin(3 * x));
      curves.add(x, curve);
    }
    const CurveTable table = curves.table();
    const CurveModel model(curves.map(), table);
    const CurveBeliefs ends = model.of_rows();
    return std::sqrt(ends.variance[30]) * model.scale().slope_at(ends.mean[30]);
  };

  EXPECT_LT(doubt(1), 0.3 * doubt(5));
}

TEST(CurveModel, TakesWhateverIsReported) {
  const std::vector<std::vector<double>> all = {
      {1, 1, 1, 1}, {1e300, -1e300, 0, 5}, {1e-310, 2e-310, 0, 3e-310}, {7}};
  for (const std::vector<double>& losses : all) {
    Curves curves(3);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      std::vector<std::pair<Step, double>> curve = {{1, losses[i]}};
      if (i % 2 == 1) curve.emplace_back(3, losses[i]);
      curves.add(0.2 * static_cast<double>(i), curve);
    }
    const CurveTable table = curves.table();
    const CurveModel model(curves.map(), table);
    const CurveBeliefs ends = model.of_rows();
    EXPECT_TRUE(ends.mean.allFinite());
    EXPECT_TRUE(ends.variance.allFinite());
    EXPECT_TRUE(model.of_new(table.points).mean.allFinite());
    const auto steps = steps_to_levels(table, true);
    EXPECT_FALSE(std::isnan(log_worth_of_new(curves.space(), model, table, ends, steps,
                                             ends.mean.minCoeff(), root_key(1))));
  }
}

TEST(CurveModel, SaysTheSameWhateverParametersAreCalledAndWhateverUnitLossesHave) {
  const auto means = [](double unit) {
    Curves curves(3);
    for (int i = 0; i < 12; ++i) {
      const double x = (i + 0.5) / 12;
      std::vector<std::pair<Step, double>> curve = {{1, unit * (2 + std::sin(5 * x))}};
      if (i % 3 == 0) curve.emplace_back(3, unit * (1 + std::sin(5 * x) * x));
      curves.add(x, curve);
    }
    const CurveTable table = curves.table();
    return CurveModel(curves.map(), table).of_rows().mean.eval();
  };

  EXPECT_LT((means(1) - means(1024)).cwiseAbs().maxCoeff(), 1e-9);
}

TEST(CurveModel, SharesOutTheVarianceAmongTheLevelsThatRevealIt) {
  Curves curves(9);
  for (int i = 0; i < 12; ++i) {
    const double x = (i + 0.5) / 12;
    std::vector<std::pair<Step, double>> curve = {{1, 2 + std::sin(5 * x)}};
    if (i % 2 == 0) curve.emplace_back(3, 1 + std::sin(5 * x) * x);
    if (i % 4 == 0) curve.emplace_back(9, 1 + std::sin(4 * x) * x);
    curves.add(x, curve);
  }
  const CurveTable table = curves.table();
  const CurveModel model(curves.map(), table);
  const CurveBeliefs rows = model.of_rows(), first = model.from_first({1, 4}),
                     unseen = model.of_new(table.points);

  EXPECT_LT((rows.revealed.rowwise().sum() - rows.variance).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_LT((unseen.revealed.rowwise().sum() - unseen.variance).cwiseAbs().maxCoeff(), 1e-12);
  EXPECT_EQ(rows.revealed(4, 2), 0) << "it has come to the end";
  EXPECT_GT(rows.revealed(2, 2), 0);
  EXPECT_EQ(rows.revealed(2, 1), 0) << "it has come there";
  EXPECT_DOUBLE_EQ(first.mean[0], rows.mean[1]) << "it is at the first level";
  EXPECT_GT(first.variance[1], 0) << "what it has reported since is left out";
}

TEST(StepsToLevels, AreFromTheLevelBeforeOrFromTheStart) {
  Curves curves(9);
  curves.add(0.5, {{1, 3}, {3, 2}, {9, 1}});

  EXPECT_EQ(steps_to_levels(curves.table(), true), (std::vector<double>{1, 2, 6}));
  EXPECT_EQ(steps_to_levels(curves.table(), false), (std::vector<double>{1, 3, 9}));
}

TEST(WorthOfNewTrials, FallsOnceTheyBringNothing) {
  const auto worth = [](bool improving) {
    Curves curves(3);
    for (int i = 0; i < 40; ++i) {
      const double x = (i + 0.5) / 40;
      const double loss = improving ? 2 - 0.02 * i : 2;
      curves.add(x, {{1, loss + 1}, {3, loss}});
    }
    const CurveTable table = curves.table();
    const CurveModel model(curves.map(), table);
    const CurveBeliefs rows = model.of_rows();
    return log_worth_of_new(curves.space(), model, table, rows, steps_to_levels(table, true),
                            rows.mean.minCoeff(), root_key(1));
  };

  EXPECT_GT(worth(true), worth(false) + 1);
}

}  // namespace
}  // namespace betatune
