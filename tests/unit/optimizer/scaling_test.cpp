#include "optimizer/scaling.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/study_spec.hpp"
#include "optimizer/scaling_study.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// A log's rows; times in seconds.
class TimedRows {
 public:
  TimedRows& attempt(Step from, double starts) {
    AttemptRow row;
    row.attempt = attempts.size() + 1;
    row.from = from;
    row.started_at_us = microseconds(starts);
    attempts.push_back(row);
    return *this;
  }
  TimedRows& report(Step step, double at, Json metrics = {{"loss", 1}}) {
    ReportRow row;
    row.attempt = attempts.size();
    row.step = step;
    row.at_us = microseconds(at);
    if (metrics.contains("loss")) row.loss = metrics.at("loss").get<double>();
    row.metrics = std::move(metrics);
    reports.push_back(row);
    return *this;
  }
  TrainingTimes times(std::optional<double> target = {}) const {
    return training_times(attempts, reports, target);
  }

  std::vector<AttemptRow> attempts;
  std::vector<ReportRow> reports;

 private:
  static std::int64_t microseconds(double seconds) {
    return static_cast<std::int64_t>(seconds * 1e6);
  }
};

TEST(TrainingTimes, LeaveTheFirstReportOfEachAttemptOut) {
  const TimedRows rows = TimedRows()
                             .attempt(0, 100)
                             .report(1, 109)
                             .report(2, 111)
                             .report(4, 117)
                             .attempt(4, 500)
                             .report(5, 507)
                             .report(6, 508);

  EXPECT_EQ(rows.times().steps, 4) << "2, 3 and 4 of the first attempt, 6 of the second";
  EXPECT_DOUBLE_EQ(rows.times().seconds, 2 + 6 + 1);
  EXPECT_FALSE(rows.times().with_start);
}

TEST(TrainingTimes, CountTheStartWhereThereIsNothingElse) {
  const TrainingTimes times = TimedRows().attempt(0, 100).report(1, 109).times();

  EXPECT_EQ(times.steps, 1);
  EXPECT_DOUBLE_EQ(times.seconds, 9);
  EXPECT_TRUE(times.with_start);
  EXPECT_EQ(TimedRows().attempt(0, 100).times().steps, 0);
}

TEST(TrainingTimes, CountStepsWhoseReportsArriveTogether) {
  const TrainingTimes times =
      TimedRows().attempt(0, 0).report(1, 1).report(2, 1).report(3, 1.5).times();

  EXPECT_EQ(times.steps, 2);
  EXPECT_DOUBLE_EQ(times.seconds, 0.5);
  EXPECT_TRUE(TimedRows().attempt(0, 0).report(1, 1).report(2, 1).times().with_start);
}

TEST(TrainingTimes, AddUpTimesPerSampleAndNotRates) {
  const TrainingTimes times = TimedRows()
                                  .attempt(0, 0)
                                  .report(1, 1, {{"samples_per_second", 1}})
                                  .report(2, 2, {{"samples_per_second", 100}})
                                  .report(3, 3, {{"samples_per_second", 300}})
                                  .times();

  ASSERT_TRUE(times.samples_per_second);
  EXPECT_DOUBLE_EQ(*times.samples_per_second, 150);
  EXPECT_FALSE(times.communication_share);
}

TEST(TrainingTimes, KnowAMetricOnlyIfEveryReportHasIt) {
  const TrainingTimes times =
      TimedRows()
          .attempt(0, 0)
          .report(1, 1)
          .report(2, 2, {{"samples_per_second", 100}, {"communication_share", 0.2}})
          .report(3, 3, {{"samples_per_second", "NaN"}, {"communication_share", 0.4}})
          .times();

  EXPECT_FALSE(times.samples_per_second);
  ASSERT_TRUE(times.communication_share);
  EXPECT_DOUBLE_EQ(*times.communication_share, 0.3);
}

TEST(TrainingTimes, ReachATargetWithoutThePauseBetweenAttempts) {
  const TimedRows rows = TimedRows()
                             .attempt(0, 100)
                             .report(1, 103, {{"loss", 5}})
                             .attempt(1, 1000)
                             .report(2, 1002, {{"loss", 3}})
                             .report(3, 1004, {{"loss", 1}});

  EXPECT_EQ(rows.times(3).seconds_to_target, 5);
  EXPECT_EQ(rows.times(5).seconds_to_target, 3);
  EXPECT_EQ(rows.times(0.5).seconds_to_target, std::nullopt);
}

TrainingTimes times_of_rate(double samples, Step steps = 1, double seconds = 1) {
  TrainingTimes times;
  times.steps = steps;
  times.seconds = seconds;
  times.samples_per_second = samples;
  return times;
}

TEST(ScalingTable, ComparesRatesPerRankWithTheFewestRanks) {
  const ScalingTable table = scaling_table({{8, {times_of_rate(2400)}},
                                            {2, {times_of_rate(900), times_of_rate(1100)}},
                                            {4, {times_of_rate(1600)}}});

  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_TRUE(table.counts_samples);
  EXPECT_EQ(table.rows[0].ranks, 2);
  EXPECT_DOUBLE_EQ(table.rows[0].rate, 1000);
  EXPECT_DOUBLE_EQ(table.rows[0].rate_deviation.value(), std::sqrt(2.0) * 100);
  EXPECT_FALSE(table.rows[1].rate_deviation);
  EXPECT_DOUBLE_EQ(table.rows[1].speedup, 1.6);
  EXPECT_DOUBLE_EQ(table.rows[1].efficiency, 0.8);
  EXPECT_DOUBLE_EQ(table.rows[2].efficiency, 0.6);
}

TEST(ScalingTable, CountsStepsIfOneTrainingSaysNothingOfSamples) {
  TrainingTimes silent = times_of_rate(0, 6, 2);
  silent.samples_per_second.reset();

  const ScalingTable table = scaling_table({{1, {times_of_rate(5000, 4, 2)}}, {2, {silent}}});

  EXPECT_FALSE(table.counts_samples);
  EXPECT_DOUBLE_EQ(table.rows[0].rate, 2);
  EXPECT_DOUBLE_EQ(table.rows[1].rate, 3);
  EXPECT_DOUBLE_EQ(table.rows[1].seconds_per_step, 1.0 / 3);
}

/// What would be measured if times were as the formula says.
std::vector<ScalingRow> rows_on_curve(double serial, double exchange,
                                      const std::vector<int>& widths) {
  std::vector<ScalingRow> rows;
  for (const int ranks : widths) {
    const double x = static_cast<double>(ranks) / widths.front();
    ScalingRow row;
    row.ranks = ranks;
    row.speedup = 1 / ScalingFit{serial, exchange}.time(x);
    rows.push_back(row);
  }
  return rows;
}

TEST(ScalingFit, FindsTheCurveThatItWasMadeOf) {
  for (const auto& widths : std::vector<std::vector<int>>{{1, 2, 4, 8}, {3, 6, 9}}) {
    const auto fit = fit_scaling(rows_on_curve(0.1, 0.03, widths));

    ASSERT_TRUE(fit);
    EXPECT_NEAR(fit->serial, 0.1, 1e-9);
    EXPECT_NEAR(fit->exchange, 0.03, 1e-9);
    EXPECT_NEAR(fit->off_by, 0, 1e-9);
  }
}

TEST(ScalingFit, TellsOfTwoWidthsTheSerialPartAlone) {
  const auto fit = fit_scaling(rows_on_curve(0.2, 0, {1, 2}));

  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->serial, 0.2, 1e-12);
  EXPECT_EQ(fit->exchange, 0);
  EXPECT_FALSE(fit->fastest());
  EXPECT_FALSE(fit_scaling(rows_on_curve(0, 0, {1})));
}

TEST(ScalingFit, IsNeverFasterThanIdeal) {
  std::vector<ScalingRow> rows = rows_on_curve(0, 0, {1, 2, 4});
  rows[1].speedup = 2.2;
  rows[2].speedup = 4.8;

  const auto fit = fit_scaling(rows);

  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->serial, 0);
  EXPECT_EQ(fit->exchange, 0);
  EXPECT_NEAR(fit->off_by, 0.2, 1e-12);
  EXPECT_THAT(fit_text(*fit, 1), HasSubstr("without a limit"));
}

TEST(ScalingFit, StaysWithinItsBounds) {
  std::vector<ScalingRow> rows = rows_on_curve(0, 0, {1, 2, 4});
  rows[1].speedup = 1.0 / 10;
  rows[2].speedup = 1.0 / 12;

  const auto fit = fit_scaling(rows);

  ASSERT_TRUE(fit);
  EXPECT_EQ(fit->serial, 1);
  EXPECT_NEAR(fit->exchange, 6.2, 1e-9) << "what is left of 9.5 and 11.75";
  EXPECT_EQ(fit->fastest(), 1);
}

TEST(ScalingFit, SaysWhereMoreRanksStopHelping) {
  const ScalingFit fit{0.1, 0.03};

  const double x = fit.fastest().value();

  EXPECT_LT(fit.time(x), fit.time(x * 1.01));
  EXPECT_LT(fit.time(x), fit.time(x / 1.01));
  EXPECT_THAT(fit_text(fit, 2), HasSubstr(" with x times 2 ranks; "));
  EXPECT_THAT(fit_text(fit, 2), HasSubstr("at 42 ranks")) << 2 * x;
  EXPECT_THAT(fit_text({0.25, 0}, 1), HasSubstr("never more than 4 times"));
  EXPECT_THAT(fit_text({0.5, 2}, 1), HasSubstr("more ranks are no faster"));
}

// ---- the study of one width
// -----------------------------------------------------------------------

StudySpec gang_spec(const Json& document) {
  Diagnostics diagnostics;
  StudySpec spec = read_study(ConfigNode::from_json(document, "study.yaml"), "", diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return spec;
}

Json gang_study() {
  return Json{
      {"version", 1},
      {"study", {{"name", "demo"}}},
      {"objectives", {{{"metric", "auc"}, {"goal", "maximize"}}, {{"metric", "size"}}}},
      {"outcome_constraints", {"size <= 3"}},
      {"parameters",
       {{"lr", {{"type", "float"}, {"min", 0}, {"max", 1}, {"default", 0.25}}},
        {"optimizer", {{"type", "categorical"}, {"values", {"sgd", "adam"}}}},
        {"beta", {{"type", "float"}, {"min", 0}, {"max", 1}, {"when", "optimizer == adam"}}},
        {"twice", {{"derived", "2 * lr"}}}}},
      {"fidelity", {{"name", "epoch"}, {"min", 3}, {"max", 9}}},
      {"stopping", {{"wall_time", "1h"}}},
      {"trainer", {{"plugin", "branin"}}},
      {"resources",
       {{"ranks", 2}, {"cpus", 6}, {"rank_timeout", "7s"}, {"elastic", {{"min", 1}}}}}};
}

TEST(ScalingStudy, TrainsOneConfigurationOnSoManyRanks) {
  const StudySpec spec = gang_spec(gang_study());
  ScalingPlan plan;
  plan.configuration = completed(spec.space, {{"optimizer", std::string("adam")}}).value();
  plan.ranks = 4;
  plan.steps = 2;
  plan.repeats = 3;
  plan.folder = "somewhere/ranks-4";

  const StudySpec width = gang_spec(scaling_document(spec, plan));

  EXPECT_EQ(width.study.name, "demo-ranks-4");
  EXPECT_EQ(width.resources.ranks, 4);
  EXPECT_EQ(width.resources.cpus, 12) << "three for each rank, as in the study";
  EXPECT_EQ(width.resources.rank_timeout.seconds, 7);
  EXPECT_FALSE(width.resources.elastic);
  EXPECT_EQ(width.fidelity->max, 2);
  EXPECT_EQ(width.stopping.trials, 3);
  EXPECT_EQ(width.noise.repeats, 3);
  EXPECT_EQ(width.trials.parallel, 1);
  ASSERT_EQ(width.objectives.size(), 1u);
  EXPECT_EQ(width.objective.metric, "auc");
  EXPECT_EQ(width.objective.goal, Goal::maximize);
  EXPECT_TRUE(width.outcome_constraints.empty());
  ASSERT_EQ(width.algorithm.initial.points.size(), 1u) << "no default of the study beside it";
  EXPECT_EQ(width.algorithm.initial.points[0].to_json(), to_json(plan.configuration));
}

TEST(ScalingStudy, HasTheSeedOfTheStudyOnEveryWidth) {
  Json document = gang_study();
  ScalingPlan plan;
  plan.configuration = completed(gang_spec(document).space, {}).value();
  plan.folder = "f";
  EXPECT_EQ(scaling_document(gang_spec(document), plan).at("study").at("seed"), 0);

  document["study"]["seed"] = 17;

  for (plan.ranks = 1; plan.ranks <= 2; ++plan.ranks) {
    EXPECT_EQ(scaling_document(gang_spec(document), plan).at("study").at("seed"), 17);
  }
}

TEST(ScalingStudy, SettingsOfRanksAreLeftOutForOne) {
  const StudySpec spec = gang_spec(gang_study());
  ScalingPlan plan;
  plan.configuration = completed(spec.space, {}).value();
  plan.folder = "f";

  EXPECT_EQ(gang_spec(scaling_document(spec, plan)).resources.world(), 1);
}

TEST(ScalingConfiguration, IsOfDefaultsAndMiddles) {
  const SearchSpace space = gang_spec(gang_study()).space;

  const auto adam = completed(space, {{"optimizer", std::string("adam")}});
  const auto changed = completed(space, {{"optimizer", std::string("sgd")}, {"lr", 0.1}});

  ASSERT_TRUE(adam) << adam.error().message;
  EXPECT_EQ(to_json(adam.value()),
            (Json{{"lr", 0.25}, {"optimizer", "adam"}, {"beta", 0.5}, {"twice", 0.5}}));
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_EQ(to_json(changed.value()), (Json{{"lr", 0.1}, {"optimizer", "sgd"}, {"twice", 0.2}}));
}

TEST(ScalingConfiguration, NamesWhatIsWrongWithAValue) {
  const SearchSpace space = gang_spec(gang_study()).space;
  const std::vector<std::pair<Configuration, const char*>> cases{
      {{{"lr", 5.0}}, "`lr`"},
      {{{"rate", 5.0}}, "`rate`"},
      {{{"optimizer", std::string("sgd")}, {"beta", 0.5}}, "`beta`"}};

  for (const auto& [given, named] : cases) {
    const auto configuration = completed(space, given);
    ASSERT_FALSE(configuration) << named;
    EXPECT_THAT(configuration.error().message, HasSubstr(named));
  }
}

TEST(ScalingWidths, DoubleAsFarAsThereIsRoom) {
  EXPECT_THAT(doubling_widths(9), ElementsAre(1, 2, 4, 8));
  EXPECT_THAT(doubling_widths(1), ElementsAre(1));
}

}  // namespace
}  // namespace betatune
