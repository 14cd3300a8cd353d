#include "searchspaces/expression.hpp"

#include <cmath>
#include <gtest/gtest.h>

#include "tests/support/for_all.hpp"

namespace betatune {
namespace {

using test::for_all;

/// An expression written with no more parentheses than the grammar needs, and its value computed
/// apart from the parser, on doubles.
struct Written {
  std::string text;
  double value = 0;
  int level = 0;  ///< 0 atom, 1 power, 2 sign, 3 product, 4 sum, 5 comparison, 6 not, 7 and, 8 or
};

std::string within(const Written& part, int loosest) {
  return part.level <= loosest ? part.text : "(" + part.text + ")";
}

Written random_number(Stream& stream, int depth);

Written random_truth(Stream& stream, int depth) {
  const Written a = depth == 0 ? random_number(stream, 0) : random_truth(stream, depth - 1);
  const Written b = depth == 0 ? random_number(stream, 0) : random_truth(stream, depth - 1);
  if (depth == 0) return {within(a, 4) + " < " + within(b, 4), a.value < b.value ? 1.0 : 0.0, 5};
  const bool first = a.value != 0;
  const bool second = b.value != 0;
  switch (stream.below(4)) {
    case 0:
      return {"not " + within(a, 6), first ? 0.0 : 1.0, 6};
    case 1:
      return {within(a, 7) + " and " + within(b, 6), first && second ? 1.0 : 0.0, 7};
    case 2:
      return {within(a, 4) + " == " + within(b, 4), first == second ? 1.0 : 0.0, 5};
    default:
      return {within(a, 8) + " or " + within(b, 7), first || second ? 1.0 : 0.0, 8};
  }
}

Written random_number(Stream& stream, int depth) {
  if (depth == 0) {
    const auto n = static_cast<double>(stream.below(10)) / (stream.below(2) == 0 ? 1 : 4);
    return {to_text(n), n, 0};
  }
  const Written a = random_number(stream, depth - 1);
  const Written b = random_number(stream, depth - 1);
  switch (stream.below(6)) {
    case 0:
      return {within(a, 4) + " + " + within(b, 3), a.value + b.value, 4};
    case 1:
      return {within(a, 4) + " - " + within(b, 3), a.value - b.value, 4};
    case 2:
      return {within(a, 3) + " * " + within(b, 2), a.value * b.value, 3};
    case 3:
      return {"-" + within(a, 2), -a.value, 2};
    case 4:
      return {within(a, 0) + " ^ 2", a.value * a.value, 1};
    default:
      return {"max(" + a.text + ", " + b.text + ")", std::max(a.value, b.value), 0};
  }
}

double value_of(const std::string& text) {
  const auto expression = Expression::parse(text);
  if (!expression) {
    ADD_FAILURE() << text << ": " << expression.error().message;
    return std::nan("");
  }
  const auto value = expression.value().evaluate({}, {});
  double number = std::nan("");
  if (!value || !value.value() || !to_number(*value.value(), &number)) {
    ADD_FAILURE() << text << ": " << (value ? "absent" : value.error().message);
  }
  return number;
}

TEST(ExpressionProperty, ArithmeticMeansWhatItSays) {
  for_all(
      root_key(11), [](Stream& stream) { return random_number(stream, 4); },
      [](const Written& written) {
        // Quarters below 2^50 are exact in doubles, whatever the order.
        if (std::abs(written.value) > 0x1p50) return;
        EXPECT_EQ(value_of(written.text), written.value) << written.text;
      },
      2'000);
}

TEST(ExpressionProperty, LogicMeansWhatItSays) {
  for_all(
      root_key(12), [](Stream& stream) { return random_truth(stream, 3); },
      [](const Written& written) {
        EXPECT_EQ(value_of(written.text), written.value) << written.text;
      },
      2'000);
}

TEST(ExpressionProperty, TextParsesToTheSame) {
  for_all(
      root_key(13), [](Stream& stream) { return random_truth(stream, 3); },
      [](const Written& written) {
        const auto once = Expression::parse(written.text);
        ASSERT_TRUE(once) << once.error().message;

        const Expression joined = Expression::both(once.value(), once.value());

        EXPECT_EQ(once.value().text(), written.text);
        EXPECT_EQ(value_of(joined.text()), written.value != 0 ? 1 : 0) << joined.text();
      });
}

TEST(ExpressionProperty, ArbitraryTextNeverCrashesAndErrorsHaveAColumn) {
  const auto garbage = [](Stream& stream) {
    const std::vector<std::string> parts{"a",  "1",   "(",     ")",   "[",    "]", ",",   " ",
                                         "in", "not", "and",   "or",  "==",   "<", "-",   "^",
                                         "/",  "%",   "\"x\"", "min", "sqrt", "`", "1e5", "\\"};
    std::string text;
    const std::uint64_t count = stream.below(30);
    for (std::uint64_t i = 0; i < count; ++i) {
      text += stream.below(20) == 0 ? std::string(1, static_cast<char>(stream.below(256)))
                                    : parts[stream.below(parts.size())];
      if (stream.below(3) == 0) text += ' ';
    }
    return text;
  };
  for_all(
      root_key(14), garbage,
      [](const std::string& text) {
        const auto expression = Expression::parse(text);
        if (expression) {
          const auto value = expression.value().evaluate({{"a", Value(2.0)}}, {"a"});
          EXPECT_TRUE(value || value.error().message.find("column ") != std::string::npos ||
                      value.error().message.find("expected") != std::string::npos);
        } else {
          EXPECT_EQ(expression.error().message.rfind("column ", 0), 0u)
              << expression.error().message;
        }
      },
      20'000);
}

}  // namespace
}  // namespace betatune
