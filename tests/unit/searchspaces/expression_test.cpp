#include "searchspaces/expression.hpp"

#include <gtest/gtest.h>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

const std::set<std::string> kKnown{"layers", "hidden",      "dropout",      "optimizer", "log",
                                   "flag",   "model.width", "weight-decay", "absent"};
const Configuration kConfiguration{{"layers", Value(std::int64_t{4})},
                                   {"hidden", Value(std::int64_t{512})},
                                   {"dropout", Value(0.25)},
                                   {"optimizer", Value("adamw")},
                                   {"log", Value(std::int64_t{3})},
                                   {"flag", Value(true)},
                                   {"model.width", Value(std::int64_t{7})},
                                   {"weight-decay", Value(0.5)}};

/// As text; "absent" for nothing, "error: ..." for a failure.
std::string result(const std::string& text) {
  const auto expression = Expression::parse(text);
  if (!expression) return "unparsed: " + expression.error().message;
  const auto value = expression.value().evaluate(kConfiguration, kKnown);
  if (!value) return "error: " + value.error().message;
  return value.value() ? to_text(*value.value()) : "absent";
}
bool is_integer(const std::string& text) {
  const auto value = Expression::parse(text).value().evaluate(kConfiguration, kKnown).value();
  return std::holds_alternative<std::int64_t>(value.value());
}
std::string parse_error(const std::string& text) {
  const auto expression = Expression::parse(text);
  return expression ? "" : expression.error().message;
}

TEST(Expression, FollowsTheUsualPrecedence) {
  EXPECT_EQ(result("1 + 2 * 3"), "7");
  EXPECT_EQ(result("(1 + 2) * 3"), "9");
  EXPECT_EQ(result("10 - 4 - 3"), "3");
  EXPECT_EQ(result("2 ^ 3 ^ 2"), "512");
  EXPECT_EQ(result("-2 ^ 2"), "-4");
  EXPECT_EQ(result("2 ^ -1"), "0.5");
  EXPECT_EQ(result("2 * -3"), "-6");
  EXPECT_EQ(result("not 1 > 2 and 2 > 1"), "true");
  EXPECT_EQ(result("true or false and false"), "true");
  EXPECT_EQ(result("1 + 1 == 2 or 1 / 0 > 1"), "true");
  EXPECT_EQ(result("layers * hidden <= 12288"), "true");
}

TEST(Expression, KeepsIntegersExact) {
  EXPECT_TRUE(is_integer("hidden / 8"));
  EXPECT_FALSE(is_integer("hidden / 7"));
  EXPECT_TRUE(is_integer("2 ^ 40"));
  EXPECT_FALSE(is_integer("sqrt(16)"));
  EXPECT_TRUE(is_integer("int(2.9)"));
  EXPECT_EQ(result("int(-2.9)"), "-2");
  EXPECT_EQ(result("9007199254740993 + 0"), "9007199254740993");
  EXPECT_EQ(result("9007199254740993 == 9007199254740992"), "false");
  // Past 64 bits the result is a real number, as near as those are.
  EXPECT_EQ(result("9223372036854775807 + 1"), "9223372036854775808");
  EXPECT_EQ(result("3037000500 * 3037000500 > 0"), "true");
}

TEST(Expression, ModuloTakesTheSignOfTheDivisor) {
  EXPECT_EQ(result("7 % 4"), "3");
  EXPECT_EQ(result("-1 % 8"), "7");
  EXPECT_EQ(result("1 % -8"), "-7");
  EXPECT_EQ(result("5.5 % 2"), "1.5");
  EXPECT_EQ(result("-0.5 % 2"), "1.5");
}

TEST(Expression, HasTheFunctionsItNames) {
  EXPECT_EQ(result("abs(-3)"), "3");
  EXPECT_EQ(result("abs(-0.5)"), "0.5");
  EXPECT_EQ(result("min(3, 1, 2)"), "1");
  EXPECT_EQ(result("max(3, 1.5, layers)"), "4");
  EXPECT_EQ(result("log(1)"), "0");
  EXPECT_EQ(result("log2(8)"), "3");
  EXPECT_EQ(result("log10(1000)"), "3");
  EXPECT_EQ(result("exp(0)"), "1");
  EXPECT_EQ(result("floor(-1.5)"), "-2");
  EXPECT_EQ(result("ceil(1.2)"), "2");
  EXPECT_EQ(result("round(2.5)"), "3");
}

TEST(Expression, AFunctionsNameWithoutParenthesisIsAParameter) {
  EXPECT_EQ(result("log + 1"), "4");
  EXPECT_EQ(result("log10(10 ^ log)"), "3");
}

TEST(Expression, WordsAreTextWhereNoParameterHasTheirName) {
  EXPECT_EQ(result("optimizer == adamw"), "true");
  EXPECT_EQ(result("optimizer == \"adamw\""), "true");
  EXPECT_EQ(result("optimizer != 'sgd'"), "true");
  EXPECT_EQ(result("optimizer in [sgd, adamw]"), "true");
  EXPECT_EQ(result("optimizer not in [sgd, lamb]"), "true");
  EXPECT_EQ(result("layers in [2, 4.0]"), "true");
  EXPECT_EQ(result("optimizer == 3"), "false");
  EXPECT_EQ(result("flag == true and flag"), "true");
}

TEST(Expression, NamesMayHoldDotsAndInBackquotesDashes) {
  EXPECT_EQ(result("model.width * 2"), "14");
  EXPECT_EQ(result("`weight-decay` * 2"), "1");
}

TEST(Expression, QuotedTextMayHoldItsOwnQuotes) {
  EXPECT_EQ(result(R"("a\"b\\" == 'a"b\\')"), "true");
}

TEST(Expression, AnInactiveParameterMakesTheResultAbsent) {
  EXPECT_EQ(result("absent + 1"), "absent");
  EXPECT_EQ(result("absent == 3"), "absent");
  EXPECT_EQ(result("not absent"), "absent");
  EXPECT_EQ(result("layers in [3, absent]"), "absent");
  EXPECT_EQ(result("max(1, absent)"), "absent");
}

TEST(Expression, AndAndOrMayBeDecidedWithoutTheInactiveOne) {
  EXPECT_EQ(result("absent > 1 or layers == 4"), "true");
  EXPECT_EQ(result("absent > 1 and layers == 3"), "false");
  EXPECT_EQ(result("absent > 1 or layers == 3"), "absent");
  EXPECT_EQ(result("absent > 1 and layers == 4"), "absent");
  EXPECT_EQ(result("layers in [4, absent]"), "true");
}

TEST(Expression, HoldsCountsAnAbsentResultAsTold) {
  const Expression on_absent = Expression::parse("absent > 1").value();

  EXPECT_FALSE(on_absent.holds(kConfiguration, kKnown, false).value());
  EXPECT_TRUE(on_absent.holds(kConfiguration, kKnown, true).value());
  EXPECT_FALSE(Expression::parse("layers - 4").value().holds(kConfiguration, kKnown, true).value());
  EXPECT_TRUE(Expression::parse("layers").value().holds(kConfiguration, kKnown, false).value());
  EXPECT_FALSE(Expression::parse("optimizer").value().holds(kConfiguration, kKnown, true));
}

TEST(Expression, SaysWhyAndWhereItCannotBeComputed) {
  EXPECT_EQ(result("1 + hidden / (layers - 4)"),
            "error: `1 + hidden / (layers - 4)`: column 22: division by zero");
  EXPECT_EQ(result("hidden % 0"), "error: `hidden % 0`: column 10: division by zero");
  EXPECT_EQ(result("optimizer + 1"),
            "error: `optimizer + 1`: column 1: expected a number, got the text `adamw`");
  EXPECT_EQ(result("1 < optimizer"),
            "error: `1 < optimizer`: column 5: expected a number, got the text `adamw`");
  EXPECT_EQ(
      result("layers > 1 and optimizer"),
      "error: `layers > 1 and optimizer`: column 16: expected true or false, got the text `adamw`");
  EXPECT_NE(result("log(layers - 4)").find("logarithm of 0"), std::string::npos);
  EXPECT_NE(result("sqrt(0 - layers)").find("square root of the negative number -4"),
            std::string::npos);
  EXPECT_NE(result("exp(1000)").find("not finite"), std::string::npos);
  EXPECT_NE(result("10 ^ 400").find("not finite"), std::string::npos);
  EXPECT_NE(result("(0 - 8) ^ 0.5").find("not finite"), std::string::npos);
  EXPECT_NE(result("1e308 * 10 - 1e308 * 10").find("not finite"), std::string::npos);
  EXPECT_NE(result("int(1e300)").find("too large"), std::string::npos);
}

TEST(Expression, ATypeErrorDoesNotHideBehindAnInactiveParameter) {
  EXPECT_NE(result("absent + optimizer").find("expected a number"), std::string::npos);
}

TEST(ExpressionParser, SaysWhatItExpectedAtWhichColumn) {
  EXPECT_EQ(parse_error(""), "column 1: expected a number, a name or `(`, found the end");
  EXPECT_EQ(parse_error("layers >"), "column 9: expected a number, a name or `(`, found the end");
  EXPECT_EQ(parse_error("layers * * 2"), "column 10: expected a number, a name or `(`, found `*`");
  EXPECT_EQ(parse_error("(1 + 2"), "column 7: expected `)`, found the end");
  EXPECT_EQ(parse_error("layers 2"), "column 8: expected an operator or the end, found `2`");
  EXPECT_EQ(parse_error("optimizer in sgd"), "column 14: expected `[`, found `sgd`");
  EXPECT_EQ(parse_error("optimizer in []"),
            "column 15: expected a number, a name or `(`, found `]`");
  EXPECT_EQ(parse_error("optimizer in [a b]"), "column 17: expected `,` or `]`, found `b`");
  EXPECT_EQ(parse_error("layers not 3"), "column 12: expected `in`, found `3`");
  EXPECT_EQ(parse_error("optimizer == \"sgd"), "column 14: expected a closing \" before the end");
  EXPECT_EQ(parse_error("8x"), "column 1: expected a number; names begin with a letter");
  EXPECT_EQ(parse_error("sqrt(1, 2)"), "column 1: expected one argument for sqrt");
  EXPECT_EQ(parse_error("1e999"), "column 1: this number is out of range");
}

TEST(ExpressionParser, HintsAtTheOperatorThatWasMeant) {
  EXPECT_NE(parse_error("layers = 3").find("write `==`"), std::string::npos);
  EXPECT_NE(parse_error("a > 1 && b > 1").find("write `and`"), std::string::npos);
  EXPECT_NE(parse_error("a > 1 || b > 1").find("write `or`"), std::string::npos);
  EXPECT_NE(parse_error("!a").find("write `not`"), std::string::npos);
  EXPECT_NE(parse_error("1 < layers < 8").find("join two comparisons with `and`"),
            std::string::npos);
  EXPECT_NE(parse_error("ln(2)").find("one of: abs min max"), std::string::npos);
}

TEST(ExpressionParser, RefusesBytesThatNoExpressionHas) {
  for (const std::string text : {"a ; b", "a\x01", "$a", "a @ b", "\xc3\xa9", "{a}", "a # b"}) {
    EXPECT_NE(parse_error(text).find("found a character that no expression has"), std::string::npos)
        << text;
  }
  EXPECT_FALSE(Expression::parse(std::string_view("a\0b", 3)));
}

TEST(ExpressionParser, RefusesTooMuchText) {
  const std::string text(limits::kExpressionBytes + 1, ' ');

  EXPECT_NE(parse_error(text).find("expected at most 4096 bytes, got 4097"), std::string::npos);
}

TEST(ExpressionParser, RefusesTooDeepNestingOfEveryKind) {
  const auto depth = static_cast<std::size_t>(limits::kExpressionDepth);
  const auto repeated = [](const std::string& part, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += part;
    return all;
  };

  EXPECT_EQ(parse_error(repeated("(", depth) + "1" + repeated(")", depth)), "");
  for (const std::string part : {"(", "-", "+", "not ", "2^", "abs(", "1 in [("}) {
    EXPECT_NE(parse_error(repeated(part, 500) + "1").find("64 levels of nesting"),
              std::string::npos)
        << part;
  }
}

TEST(ExpressionParser, ALongChainIsNotDeep) {
  std::string text = "1";
  for (int i = 0; i < 1'000; ++i) text += " + 1";

  EXPECT_EQ(result(text), "1001");
}

TEST(ExpressionNames, AreTheWordsThatAreNotFunctions) {
  const auto expression = Expression::parse("log(a.b) + min(c, 2) > log and `d-e` in [f, \"g\"]");

  ASSERT_TRUE(expression) << expression.error().message;
  EXPECT_EQ(expression.value().names(), (std::set<std::string>{"a.b", "c", "d-e", "f", "log"}));
}

TEST(ExpressionNames, AnUnknownWordIsRefusedWhereItCannotBeText) {
  const auto complaint = [](const std::string& text) {
    const Status status = Expression::parse(text).value().check_names(kKnown);
    return status ? "" : status.error().message;
  };

  EXPECT_EQ(complaint("optimizer == sgd and layers > 2"), "");
  EXPECT_EQ(complaint("sgd == optimizer"), "");
  EXPECT_NE(complaint("layers > 2 and optimiser == sgd").find("column 16: `optimiser`"),
            std::string::npos);
  EXPECT_NE(complaint("layer > 2").find("`layer` is not a parameter"), std::string::npos);
  EXPECT_NE(complaint("max(layers, width)").find("`width`"), std::string::npos);
  EXPECT_NE(complaint("optimiser in [sgd, adamw]").find("`optimiser`"), std::string::npos);
  EXPECT_NE(complaint("use_bn").find("`use_bn`"), std::string::npos);
  EXPECT_NE(complaint("not use_bn").find("`use_bn`"), std::string::npos);
  EXPECT_NE(complaint("layerz == 3").find("`layerz`"), std::string::npos);
}

TEST(ExpressionBuilders, WriteTextThatParsesToTheSame) {
  const Expression member =
      Expression::member_of("optimizer", {Value("adamw"), Value("a \"b\" \\ c"), Value(true)});
  const Expression single = Expression::member_of("weight-decay", {Value(0.5)});
  const Expression both = Expression::both(member, single);

  EXPECT_EQ(member.text(), R"(optimizer in ["adamw", "a \"b\" \\ c", true])");
  EXPECT_EQ(single.text(), "`weight-decay` == 0.5");
  for (const Expression& each : {member, single, both}) {
    EXPECT_TRUE(each.holds(kConfiguration, kKnown, false).value()) << each.text();
    EXPECT_EQ(result(each.text()), "true") << each.text();
  }
}

TEST(ExpressionBuilders, BothNeedsBoth) {
  const Expression yes = Expression::member_of("layers", {Value(std::int64_t{4})});
  const Expression no = Expression::member_of("layers", {Value(std::int64_t{5})});

  EXPECT_FALSE(Expression::both(yes, no).holds(kConfiguration, kKnown, true).value());
  EXPECT_FALSE(
      Expression::both(Expression::both(no, yes), yes).holds(kConfiguration, kKnown, true).value());
}

}  // namespace
}  // namespace betatune
