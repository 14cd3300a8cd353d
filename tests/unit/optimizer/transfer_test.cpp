// Learning from earlier studies: their best first, their models as a mean function that must pay.

#include "optimizer/gp/transfer.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "optimizer/gp/model.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/searchers/earlier_best.hpp"
#include "tests/support/test_functions.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

double ripple(const Configuration& at, double shift) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) {
    const double x = number(at, "x" + std::to_string(i)) - 0.3 - shift;
    sum += x * x + 0.1 * (1 - std::cos(9 * x));
  }
  return sum;
}

/// A study of random trials.
std::shared_ptr<const EarlierStudyRead> earlier_study(const std::string& name, int trials,
                                                      const Loss& loss) {
  const HistoryBuilder box(unit_box(4));
  EarlierStudyRead out{name, {}};
  for (int i = 0; i < trials; ++i) {
    const Key key = fold_in(root_key(8), static_cast<std::uint64_t>(i));
    Configuration drawn = box.history().space().sample(key);
    const double value = loss(drawn);
    out.results.push_back({std::move(drawn), value});
  }
  return std::make_shared<const EarlierStudyRead>(std::move(out));
}

/// Of 4 dimensions, with seed 1, that names the studies.
HistoryBuilder study_with(std::vector<std::shared_ptr<const EarlierStudyRead>> earlier) {
  HistoryBuilder study(unit_box(4));
  for (const auto& each : earlier) {
    study.spec().algorithm.transfer.studies.push_back(
        ConfigNode::from_json(each->study, "test.yaml"));
  }
  study.edit().earlier = std::move(earlier);
  return study;
}

const auto kHelpful = [] {
  return earlier_study("helpful", 100, [](const auto& at) { return 50 * ripple(at, 0.02) + 7; });
};
const auto kMisleading = [] {
  return earlier_study("misleading", 100, [](const auto& at) { return -ripple(at, 0.0); });
};

RowMatrix points_of(const EarlierStudyRead& study, const SearchSpace& space, Eigen::Index count) {
  RowMatrix out(count, space.dims());
  for (Eigen::Index i = 0; i < count; ++i) {
    out.row(i) = space.encode(study.results[static_cast<std::size_t>(i)].configuration).transpose();
  }
  return out;
}

TEST(Transfer, TrendAddsUpValuesAndSlopes) {
  const HistoryBuilder study(unit_box(4));
  const SearchSpace& space = study.history().space();
  const std::vector earlier = {kHelpful(), kMisleading()};
  const auto models = std::make_shared<const EarlierModels>(space, earlier);
  ASSERT_EQ(models->size(), 2);
  const FeatureMap map(space.columns());
  const EarlierTrend trend(models, Eigen::Vector2d(0.7, 0.2), 0.4);
  RowMatrix features = map.map(RowMatrix::Constant(1, 4, 0.37));
  RowMatrix slopes;
  const double value = trend.value(features, &slopes)[0];
  const RowMatrix means = models->means(features);
  EXPECT_NEAR(value, 0.4 + 0.7 * means(0, 0) + 0.2 * means(0, 1), 1e-9);
  constexpr double kStep = 1e-5;
  for (Eigen::Index f = 0; f < features.rows(); ++f) {
    RowMatrix up = features, down = features;
    up(f, 0) += kStep;
    down(f, 0) -= kStep;
    const double slope =
        (trend.value(up, nullptr)[0] - trend.value(down, nullptr)[0]) / (2 * kStep);
    EXPECT_NEAR(slopes(f, 0), slope, 1e-6);
  }
}

TEST(Transfer, ModelTakesWhatHelpsAndLeavesWhatMisleads) {
  const HistoryBuilder study(unit_box(4));
  const SearchSpace& space = study.history().space();
  const auto data = earlier_study("now", 12, [](const auto& at) { return ripple(at, 0.0); });
  Samples samples{{}, points_of(*data, space, 12), Eigen::VectorXd(12)};
  for (std::size_t i = 0; i < 12; ++i) {
    samples.trials.push_back(i);
    samples.values[static_cast<Eigen::Index>(i)] = data->results[i].loss;
  }
  const std::vector both = {kMisleading(), kHelpful()};
  GpModel model(space.columns());
  model.learn_from(std::make_shared<const EarlierModels>(space, both));
  model.condition(samples, 0);
  ASSERT_NE(model.trend(), nullptr);
  EXPECT_EQ(model.trend()->weights()[0], 0);
  EXPECT_GT(model.trend()->weights()[1] / model.output_scale(), 0.5);

  const std::vector wrong = {kMisleading()};
  GpModel other(space.columns());
  other.learn_from(std::make_shared<const EarlierModels>(space, wrong));
  other.condition(samples, 0);
  EXPECT_EQ(other.trend(), nullptr);
}

TEST(Transfer, GaussianProcessWithAMeanPassesThroughItsData) {
  const HistoryBuilder study(unit_box(4));
  const SearchSpace& space = study.history().space();
  const auto data = earlier_study("now", 10, [](const auto& at) { return ripple(at, 0.05); });
  Samples samples{{}, points_of(*data, space, 10), Eigen::VectorXd(10)};
  for (std::size_t i = 0; i < 10; ++i) {
    samples.trials.push_back(i);
    samples.values[static_cast<Eigen::Index>(i)] = data->results[i].loss;
  }
  GpModel model(space.columns());
  const std::vector one = {kHelpful()};
  model.learn_from(std::make_shared<const EarlierModels>(space, one));
  const GaussianProcess& gp = model.condition(samples, 0);
  ASSERT_NE(model.trend(), nullptr);
  const RowMatrix features = gp.map().map(samples.points);
  const Prediction at = gp.predict(features, true);
  Eigen::VectorXd screened, variance;
  gp.screen(features, screened, variance);
  const Outputs outputs = transform_outputs(samples.values, model.bend());
  for (Eigen::Index i = 0; i < 10; ++i) {
    EXPECT_NEAR(at.mean[i], gp.fitted()[i], 1e-6);
    EXPECT_NEAR(screened[i], at.mean[i], 1e-9);
    EXPECT_NEAR(at.mean[i], model.output_scale() * outputs.y[i], 0.1);
  }
}

TEST(Transfer, BeginsWithTheBestOfEveryEarlierStudy) {
  const auto one = kHelpful();
  HistoryBuilder study = study_with({one, kMisleading()});
  const auto first = study.searcher("auto")->suggest(study.history(), 3, root_key(1));
  ASSERT_EQ(first.size(), 3u);
  const auto best = std::ranges::min_element(
      one->results, [](const auto& a, const auto& b) { return a.loss < b.loss; });
  EXPECT_EQ(first[0].origin, kEarlierOrigin);
  EXPECT_EQ(first[0].configuration, best->configuration);
  EXPECT_EQ(first[1].origin, kEarlierOrigin);
  EXPECT_EQ(first[2].origin, "sobol");
}

TEST(Transfer, StudiesOfAnotherSpaceGiveWhatFits) {
  EarlierStudyRead other{"other", {}};
  other.results.push_back({{{"x0", Value(0.25)}, {"gone", Value(1.0)}}, 1.0});
  other.results.push_back({{{"x0", Value(7.0)}}, 0.5});  // outside
  HistoryBuilder study = study_with({std::make_shared<const EarlierStudyRead>(other)});
  const auto first = study.searcher("gp")->suggest(study.history(), 2, root_key(1));
  EXPECT_EQ(first[0].configuration,
            (Configuration{
                {"x0", Value(0.25)}, {"x1", Value(0.5)}, {"x2", Value(0.5)}, {"x3", Value(0.5)}}));
  EXPECT_EQ(first[1].origin, "sobol");
}

double best_after(std::vector<std::shared_ptr<const EarlierStudyRead>> earlier, int trials) {
  HistoryBuilder study = study_with(std::move(earlier));
  const auto searcher = study.searcher("auto");
  return run_study(
      study, *searcher, [](const auto& at) { return ripple(at, 0.0); }, trials);
}

TEST(Transfer, HelpsFromTheFirstTrialOn) {
  EXPECT_LT(best_after({kHelpful()}, 8), 0.5 * best_after({}, 8));
}

TEST(Transfer, AMisleadingStudyIsFoundOut) {
  EXPECT_LT(best_after({kMisleading()}, 50), 0.02);
}

TEST(Transfer, SearchersThatDoNotLearnRefuseIt) {
  HistoryBuilder study = study_with({kHelpful()});
  StudySpec spec = study.spec();
  for (const char* name : {"random", "sobol", "grid"}) {
    spec.algorithm.searcher.name = name;
    Diagnostics problems;
    EXPECT_EQ(make_searcher(spec, problems), nullptr);
    ASSERT_EQ(problems.problems().size(), 1u);
    EXPECT_EQ(problems.problems().front().code, "E0410");
  }
}

}  // namespace
}  // namespace betatune
