#include "configs/node.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

using Kind = ConfigNode::Kind;

ConfigNode parse_good(std::string_view text) {
  Diagnostics diagnostics;
  ConfigNode node = ConfigNode::parse(text, "test.yaml", diagnostics);
  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
  return node;
}

// The code of the only problem, with its place: "E0006 2:1".
std::string parse_bad(std::string_view text) {
  Diagnostics diagnostics;
  ConfigNode::parse(text, "test.yaml", diagnostics);
  if (diagnostics.problems().size() != 1) {
    return std::to_string(diagnostics.problems().size()) + " problems";
  }
  const Diagnostic& problem = diagnostics.problems()[0];
  return problem.code + " " + std::to_string(problem.mark.line) + ":" +
         std::to_string(problem.mark.column);
}

Kind kind_of(const std::string& scalar) {
  return parse_good("a: " + scalar).find("a")->kind();
}

TEST(ConfigNode, TypesPlainScalarsByTheCoreSchema) {
  EXPECT_EQ(kind_of("1"), Kind::integer);
  EXPECT_EQ(kind_of("-17"), Kind::integer);
  EXPECT_EQ(kind_of("+3"), Kind::integer);
  EXPECT_EQ(kind_of("0x1F"), Kind::integer);
  EXPECT_EQ(kind_of("0o17"), Kind::integer);
  EXPECT_EQ(kind_of("1.5"), Kind::real);
  EXPECT_EQ(kind_of("1."), Kind::real);
  EXPECT_EQ(kind_of(".5"), Kind::real);
  EXPECT_EQ(kind_of("1e-5"), Kind::real);
  EXPECT_EQ(kind_of("1E+5"), Kind::real);
  EXPECT_EQ(kind_of("true"), Kind::boolean);
  EXPECT_EQ(kind_of("False"), Kind::boolean);
  EXPECT_EQ(kind_of("~"), Kind::null);
  EXPECT_EQ(kind_of("null"), Kind::null);
  EXPECT_EQ(kind_of(""), Kind::null);
  EXPECT_EQ(kind_of("yes"), Kind::string);
  EXPECT_EQ(kind_of("48h"), Kind::string);
  EXPECT_EQ(kind_of("1e"), Kind::string);
  EXPECT_EQ(kind_of("1.2.3"), Kind::string);
  EXPECT_EQ(kind_of("1_000"), Kind::string);
}

TEST(ConfigNode, KeepsQuotedScalarsAsStrings) {
  EXPECT_EQ(kind_of("\"1\""), Kind::string);
  EXPECT_EQ(kind_of("'true'"), Kind::string);
  EXPECT_EQ(kind_of("\"\""), Kind::string);
  EXPECT_EQ(kind_of("'010'"), Kind::string);
  EXPECT_EQ(kind_of("|\n  1\n"), Kind::string);
}

TEST(ConfigNode, ReadsNumbersExactly) {
  const ConfigNode node = parse_good("a: 0x1F\nb: 1e-5\nc: -9223372036854775808\nd: 0.1\n");

  EXPECT_EQ(std::get<std::int64_t>(node.find("a")->value()), 31);
  EXPECT_EQ(std::get<double>(node.find("b")->value()), 1e-5);
  EXPECT_EQ(std::get<std::int64_t>(node.find("c")->value()),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(std::get<double>(node.find("d")->value()), 0.1);
  EXPECT_EQ(node.find("b")->text(), "1e-5");
}

TEST(ConfigNode, RefusesNumbersThatCannotBeTaken) {
  EXPECT_EQ(parse_bad("a: 010"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: -007"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: 1e400"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: .nan"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: -.inf"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: 9223372036854775808"), "E0009 1:4");
  EXPECT_EQ(parse_bad("a: 0xFFFFFFFFFFFFFFFFF"), "E0009 1:4");
}

TEST(ConfigNode, MarksAreOneBasedAndKeysKeepTheirOrder) {
  const ConfigNode node = parse_good("zeta: 1\nalpha:\n  - {x: \"two\"}\n");

  ASSERT_EQ(node.entries().size(), 2u);
  EXPECT_EQ(node.entries()[0].key, "zeta");
  EXPECT_EQ(node.entries()[1].key_mark.line, 2);
  EXPECT_EQ(node.entries()[1].key_mark.column, 1);
  const ConfigNode& inner = *node.find("alpha")->items().at(0).find("x");
  EXPECT_EQ(inner.mark().line, 3);
  EXPECT_EQ(inner.mark().column, 9);
  EXPECT_EQ(inner.mark_at(1).column, 11);  // behind the quote and one letter
}

TEST(ConfigNode, RefusesWhatStudyFilesDoNotNeed) {
  EXPECT_EQ(parse_bad("a: &x 1"), "E0005 1:4");
  EXPECT_EQ(parse_bad("a: &x {b: 1}"), "E0005 1:4");
  EXPECT_EQ(parse_bad("a: !!str 1"), "E0005 1:4");
  EXPECT_EQ(parse_bad("a: !thing {b: 1}"), "E0005 1:4");
  EXPECT_EQ(parse_bad("a: ! x"), "E0005 1:4");
  EXPECT_EQ(parse_bad("&a [*a]"), "E0005 1:1");
  EXPECT_EQ(parse_bad("a: *x"), "E0004 1:4");  // unknown alias: yaml-cpp's own error
  EXPECT_EQ(parse_bad("a: 1\n---\nb: 2\n"), "E0007 2:1");
  EXPECT_EQ(parse_bad("a: 1\nb: 2\na: 3\n"), "E0006 3:1");
  EXPECT_EQ(parse_bad("? [a, b]\n: 1\n"), "E0010 1:3");
  EXPECT_EQ(parse_bad("{: 1}"), "E0010 1:2");
}

TEST(ConfigNode, RefusesDeepNestingBeforeItCostsAnything) {
  const auto depth = static_cast<std::size_t>(limits::kYamlDepth);

  EXPECT_EQ(parse_good(std::string(depth, '[') + std::string(depth, ']')).kind(), Kind::sequence);
  EXPECT_EQ(parse_bad(std::string(depth + 1, '[') + std::string(depth + 1, ']')), "E0008 1:65");
  EXPECT_EQ(parse_bad(std::string(500, '[') + std::string(500, ']')), "E0008 1:65");
}

TEST(ConfigNode, RefusesTextThatIsNotText) {
  EXPECT_EQ(parse_bad(std::string_view("a: \0b", 5)), "E0003 1:4");
  EXPECT_EQ(parse_bad("a: 1\nb: \x1b[2J"), "E0003 2:4");
  EXPECT_EQ(parse_bad("a: \xff\xfe"), "E0003 1:4");
  EXPECT_EQ(parse_bad("a: \xc0\xaf"), "E0003 1:4");      // overlong
  EXPECT_EQ(parse_bad("a: \xed\xa0\x80"), "E0003 1:4");  // surrogate
  EXPECT_EQ(kind_of("\xc3\xa9t\xc3\xa9"), Kind::string);
}

TEST(ConfigNode, AcceptsByteOrderMarkAndCarriageReturns) {
  const ConfigNode node = parse_good(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: two\r\n");

  EXPECT_EQ(node.find("a")->mark().column, 4);
  EXPECT_EQ(node.find("b")->text(), "two");
}

TEST(ConfigNode, SaysThatAnEmptyFileIsEmpty) {
  EXPECT_EQ(parse_bad(""), "E0001 0:0");
  EXPECT_EQ(parse_bad("# only a comment\n"), "E0001 0:0");
  EXPECT_EQ(parse_bad("---\n"), "E0001 0:0");
}

TEST(ConfigNode, RoundTripsThroughJson) {
  const ConfigNode node = parse_good("a: {b: [1, 2.5, true, ~, word]}\nc: {}\nd: []\n");

  const Json json = node.to_json();
  const ConfigNode again = ConfigNode::from_json(json, "log");

  EXPECT_EQ(json, Json::parse(R"({"a": {"b": [1, 2.5, true, null, "word"]}, "c": {}, "d": []})"));
  EXPECT_EQ(again.to_json(), json);
  EXPECT_EQ(again.find("a")->find("b")->items()[1].kind(), Kind::real);
  EXPECT_EQ(again.mark().line, 0);
}

TEST(ConfigNode, WithoutLeavesKeysOut) {
  const ConfigNode node = parse_good("a: 1\nb: 2\nc: 3\n");

  EXPECT_EQ(node.without({"b", "z"}).to_json(), Json::parse(R"({"a": 1, "c": 3})"));
  EXPECT_EQ(node.find("b")->without({"b"}).to_json(), 2);
}

TEST(ConfigNode, FromJsonEndsAtTheDepthLimit) {
  Json json = 1;
  for (int i = 0; i < 10 * limits::kYamlDepth; ++i) json = Json::array({json});

  const ConfigNode node = ConfigNode::from_json(json, "log");

  EXPECT_EQ(node.kind(), Kind::sequence);
}

TEST(Closest, FindsSlipsAndNothingElse) {
  const std::vector<std::string> words = {"learning_rate", "batch_size", "min", "max", "values"};

  EXPECT_EQ(closest("lerning_rate", words), "learning_rate");
  EXPECT_EQ(closest("batch-size", words), "batch_size");
  EXPECT_EQ(closest("Values", words), "values");
  EXPECT_EQ(closest("mni", words), "min");
  EXPECT_EQ(closest("momentum", words), "");
  EXPECT_EQ(closest("lr", words), "");
  EXPECT_EQ(closest("", words), "");
}

TEST(Diagnostics, KeepsAtMostTheLimitAndCountsTheRest) {
  Diagnostics diagnostics;
  for (std::size_t i = 0; i < limits::kDiagnostics + 7; ++i) diagnostics.error("E0102", "x", {});

  EXPECT_EQ(diagnostics.problems().size(), limits::kDiagnostics);
  EXPECT_EQ(diagnostics.dropped(), 7u);
  EXPECT_THAT(diagnostics.render(false), testing::EndsWith("and 7 more problems\n"));
}

TEST(Diagnostics, RendersNoControlCharacters) {
  Diagnostics diagnostics;
  diagnostics.error("E0001", "bad \x1b[31m name", Mark{"a\x1b.yaml", 1, 1, 1}, "he\x07lp");

  const std::string text = diagnostics.render(false);

  EXPECT_EQ(text, "error[E0001]: bad ?[31m name\n --> a?.yaml:1:1\n   = help: he?lp\n");
}

}  // namespace
}  // namespace betatune
