#include "searchspaces/value.hpp"

#include <cmath>
#include <cstdlib>
#include <gtest/gtest.h>
#include <limits>

namespace betatune {
namespace {

std::string refusal(const Json& json) {
  const auto value = value_from_json(json);
  return value ? "" : value.error().message;
}

TEST(ValueText, IsWhatAPersonWouldWrite) {
  EXPECT_EQ(to_text(0.001), "0.001");
  EXPECT_EQ(to_text(1e-5), "1e-5");
  EXPECT_EQ(to_text(1e22), "1e22");
  EXPECT_EQ(to_text(1e-300), "1e-300");
  EXPECT_EQ(to_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(to_text(std::int64_t{64}), "64");
  EXPECT_EQ(to_text(true), "true");
  EXPECT_EQ(to_text(Value("adamw")), "adamw");
}

TEST(ValueText, OfDoublesReadsBackAsTheSameNumber) {
  for (const double number : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 123456.789}) {
    EXPECT_EQ(std::strtod(to_text(number).c_str(), nullptr), number);
  }
}

TEST(ValueJson, KeepsTheTypeOfEveryValue) {
  for (const Value& value : {Value(true), Value(std::int64_t{-7}), Value(2.0), Value("two"),
                             Value(std::numeric_limits<std::int64_t>::max())}) {
    const auto back = value_from_json(Json::parse(to_json(value).dump()));

    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back.value(), value);
  }
}

TEST(ValueJson, RefusesWhatNoHyperParameterIs) {
  EXPECT_NE(refusal(nullptr).find("got null"), std::string::npos);
  EXPECT_NE(refusal(Json::array({1})).find("got array"), std::string::npos);
  EXPECT_NE(refusal(Json::object()).find("got object"), std::string::npos);
  EXPECT_NE(refusal(std::nan("")).find("finite"), std::string::npos);
  EXPECT_NE(refusal(HUGE_VAL).find("finite"), std::string::npos);
  EXPECT_NE(refusal(std::uint64_t{1} << 63).find("below 2^63"), std::string::npos);
}

TEST(ConfigurationJson, NamesTheKeyOfABadValue) {
  const auto configuration = configuration_from_json(Json::parse(R"({"lr": 0.1, "layers": [3]})"));

  ASSERT_FALSE(configuration);
  EXPECT_EQ(configuration.error().message.rfind("`layers`: ", 0), 0u)
      << configuration.error().message;
  EXPECT_FALSE(configuration_from_json(Json(3)));
}

TEST(ValueNumber, IsThatOfNumbersAndBooleansOnly) {
  double number = -1;

  EXPECT_TRUE(to_number(Value(true), &number));
  EXPECT_EQ(number, 1);
  EXPECT_TRUE(to_number(Value(std::int64_t{5}), &number));
  EXPECT_EQ(number, 5);
  EXPECT_FALSE(to_number(Value("5"), &number));
}

}  // namespace
}  // namespace betatune
