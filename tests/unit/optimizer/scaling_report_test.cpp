#include "optimizer/cli/scaling_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Rates that double with the ranks, 1 to 4, of a trainer that says nothing of samples.
ScalingReport ideal_scaling() {
  ScalingReport report;
  report.study = "demo";
  report.step = "epoch";
  report.cores = 2;
  std::vector<MeasuredWidth> widths;
  for (const int ranks : {1, 2, 4}) {
    TrainingTimes times;
    times.steps = ranks;
    times.seconds = 2;
    widths.push_back({ranks, {times}});
  }
  report.table = scaling_table(std::move(widths));
  report.fit = fit_scaling(report.table.rows);
  return report;
}

TEST(ScalingText, HasARowForEachWidthAndSaysWhatToDoubt) {
  const std::string text = scaling_text(ideal_scaling());

  EXPECT_THAT(text, HasSubstr("ranks  epochs/s  speed-up  efficiency  time per epoch"));
  EXPECT_THAT(text, HasSubstr("4      2         4.00      100 %       0.5 s"));
  EXPECT_THAT(text, HasSubstr("this trainer does not report samples_per_second"));
  EXPECT_THAT(text, HasSubstr("4 ranks of 1 CPU each share 2 cores."));
  EXPECT_THAT(text, Not(HasSubstr("2 ranks of 1 CPU")));
  EXPECT_THAT(text, Not(HasSubstr("give a step more work")));
}

TEST(ScalingText, DoubtsTimesThatAreTooShort) {
  ScalingReport report = ideal_scaling();
  report.table.rows[2].seconds_per_step = 0.002;

  EXPECT_THAT(scaling_text(report), HasSubstr("give a step more work"));
}

TEST(ScalingJson, HasNullForWhatIsNotKnown) {
  const Json json = scaling_json(ideal_scaling());

  EXPECT_EQ(json.at("rate"), "steps_per_second");
  ASSERT_EQ(json.at("widths").size(), 3u);
  EXPECT_EQ(json.at("widths").at(2).at("speedup"), 4);
  EXPECT_TRUE(json.at("widths").at(2).at("communication_share").is_null());
  EXPECT_TRUE(json.at("target").is_null());
  EXPECT_EQ(json.at("fit").at("serial"), 0);
}

TEST(ScalingPlot, PutsIdealRatesOnTheIdealLine) {
  const std::string svg = scaling_svg(ideal_scaling());

  // The dashed line runs from the first point to the last; the second one is in the middle.
  EXPECT_THAT(svg, HasSubstr("<line x1=\"70.0\" y1=\"282.0\" x2=\"460.0\" y2=\"58.0\" "
                             "stroke=\"#888\""));
  EXPECT_THAT(svg, HasSubstr("points=\"70.0,282.0 265.0,170.0 460.0,58.0 \""));
}

TEST(ScalingPlot, OfOneWidthIsAPoint) {
  ScalingReport report = ideal_scaling();
  report.table.rows.resize(1);

  const std::string svg = scaling_svg(report);

  EXPECT_THAT(svg, HasSubstr("points=\"70.0,"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(ScalingPlot, EscapesNames) {
  ScalingReport report = ideal_scaling();
  report.step = "a<b&c";

  EXPECT_THAT(scaling_svg(report), HasSubstr("demo: a&lt;b&amp;cs/s"));
}

}  // namespace
}  // namespace betatune
