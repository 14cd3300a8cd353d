#include "searchspaces/inequality.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

double slack(const std::string& text, const std::map<std::string, double>& values) {
  const auto parsed = Inequality::parse(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? parsed.value().slack(values) : 1e300;
}

std::string error_of(const std::string& text) {
  const auto parsed = Inequality::parse(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : parsed.error().message;
}

TEST(Inequality, IsTheSmallerSideMinusTheLarger) {
  const std::map<std::string, double> values{{"mem", 77}, {"latency", 12}, {"batch", 2}};
  EXPECT_EQ(slack("mem <= 70", values), 7);
  EXPECT_EQ(slack("70 >= mem", values), 7);
  EXPECT_EQ(slack("mem >= 70", values), -7);
  EXPECT_EQ(slack("latency < 5 * batch", values), 2);
  EXPECT_EQ(slack("latency > 5 * batch", values), -2);
  EXPECT_EQ(slack("max(mem, latency) - 7 <= 70", values), 0);
}

TEST(Inequality, NamesItsMetricsOnce) {
  const auto parsed = Inequality::parse("b + a * b <= `val/loss`");
  ASSERT_TRUE(parsed);
  EXPECT_THAT(parsed.value().names(), ElementsAre("a", "b", "val/loss"));
  EXPECT_EQ(parsed.value().text(), "b + a * b <= `val/loss`");
}

TEST(Inequality, IsNotKnownWithoutAMetricOrWithoutAFiniteSide) {
  EXPECT_TRUE(std::isnan(slack("mem <= 70", {{"loss", 1}})));
  EXPECT_TRUE(std::isnan(slack("1 / mem <= 70", {{"mem", 0}})));
  EXPECT_TRUE(std::isnan(slack("log(mem) <= 70", {{"mem", -1}})));
}

TEST(Inequality, RefusesWhatIsNoLimit) {
  for (const char* text : {"mem", "mem == 70", "mem != 70", "mem <= 70 and loss < 1", "not mem < 3",
                           "mem in [1, 2]"}) {
    EXPECT_THAT(error_of(text), HasSubstr("expected a limit like `peak_mem_gib <= 70`")) << text;
  }
  EXPECT_THAT(error_of("3 < 4"), HasSubstr("the name of a metric"));
  EXPECT_THAT(error_of("mem <= 'many'"), StartsWith("column 8: expected numbers and names"));
  EXPECT_THAT(error_of("mem <= (loss < 3)"), StartsWith("column 14: "));
  EXPECT_THAT(error_of("mem <= true"), StartsWith("column 8: "));
  EXPECT_THAT(error_of("mem <= 70 <= 80"), HasSubstr("join two comparisons with `and`"));
  EXPECT_THAT(error_of("mem <="), StartsWith("column 7: "));
}

}  // namespace
}  // namespace betatune
