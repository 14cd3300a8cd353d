#include "configs/read.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

enum class Color { red, green };
constexpr auto enum_names(Color) {
  return std::array{EnumName<Color>{Color::red, "red"}, EnumName<Color>{Color::green, "green"}};
}

struct Inner {
  int count = 3;
  static constexpr auto fields() { return std::tuple{defaulted("count", &Inner::count, "")}; }
};
struct Outer {
  std::string name;
  double rate = 0.5;
  bool on = false;
  Color color = Color::red;
  std::optional<std::uint64_t> seed;
  std::vector<int> list;
  std::map<std::string, std::string> tags;
  Inner inner;
  Duration wait{1};
  static constexpr auto fields() {
    return std::tuple{Field{"name", &Outer::name, ""},     defaulted("rate", &Outer::rate, ""),
                      defaulted("on", &Outer::on, ""),     defaulted("color", &Outer::color, ""),
                      Field{"seed", &Outer::seed, ""},     defaulted("list", &Outer::list, ""),
                      defaulted("tags", &Outer::tags, ""), defaulted("inner", &Outer::inner, ""),
                      defaulted("wait", &Outer::wait, "")};
  }
};

struct Read {
  Outer outer;
  bool fine = false;
  std::vector<std::string> problems;  ///< "E0103 `rate` must be ..."
  std::vector<std::string> helps;
};

Read read(const std::string& yaml) {
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(yaml, "t.yaml", diagnostics);
  Read out;
  out.fine = read_config(node, "", diagnostics, out.outer);
  for (const Diagnostic& problem : diagnostics.problems()) {
    out.problems.push_back(problem.code + " " + problem.message);
    out.helps.push_back(problem.help);
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(ReadConfig, FillsAStructAndKeepsDefaults) {
  const Read got = read("{name: a, seed: 7, color: green, list: [1, 2], tags: {k: v}, inner: {}}");

  ASSERT_EQ(got.problems, Lines{});
  EXPECT_TRUE(got.fine);
  EXPECT_EQ(got.outer.name, "a");
  EXPECT_EQ(got.outer.seed, 7u);
  EXPECT_EQ(got.outer.color, Color::green);
  EXPECT_EQ(got.outer.list, (std::vector<int>{1, 2}));
  EXPECT_EQ(got.outer.tags.at("k"), "v");
  EXPECT_EQ(got.outer.inner.count, 3);
  EXPECT_EQ(got.outer.rate, 0.5);
}

TEST(ReadConfig, TakesAnIntegerWhereANumberIsMeant) {
  EXPECT_EQ(read("{name: a, rate: 2}").outer.rate, 2.0);
}

TEST(ReadConfig, SaysWhatWasFoundAndWhatIsExpected) {
  EXPECT_EQ(read("{name: 3}").problems,
            Lines{"E0103 `name` must be a string, found an integer (`3`)"});
  EXPECT_EQ(read("{name: 3}").helps, Lines{"quote it: \"3\""});
  EXPECT_EQ(read("{name: a, rate: \"0.1\"}").helps, Lines{"remove the quotes"});
  EXPECT_EQ(read("{name: a, on: yes}").helps, Lines{"write true"});
  EXPECT_EQ(read("{name: a, list: {x: 1}}").problems,
            Lines{"E0103 `list` must be a sequence, found a mapping"});
  EXPECT_EQ(read("{name: a, list: [1, x]}").problems,
            Lines{"E0103 `list[1]` must be an integer, found a string (`x`)"});
  EXPECT_EQ(read("{name: a, inner: 4}").problems,
            Lines{"E0103 `inner` must be a mapping, found an integer (`4`)"});
  EXPECT_EQ(read("{name: a, inner: {count: }}").problems,
            Lines{"E0103 `inner.count` must be an integer, found nothing"});
}

TEST(ReadConfig, ReportsEveryProblemAtOnce) {
  const Read got = read("{colour: red, rate: fast, color: gren, seed: -1}");

  EXPECT_FALSE(got.fine);
  EXPECT_EQ(
      got.problems,
      (Lines{"E0101 `name` is missing", "E0103 `rate` must be a number, found a string (`fast`)",
             "E0104 `color` must be red or green, found a string (`gren`)",
             "E0105 `seed` must be 0 or more, found -1", "E0102 unknown key `colour`"}));
  EXPECT_EQ(got.helps[2], "did you mean `green`?");
  EXPECT_EQ(got.helps[4], "did you mean `color`?");
}

TEST(ReadConfig, RefusesAnIntThatDoesNotFit) {
  EXPECT_EQ(
      read("{name: a, inner: {count: 3000000000}}").problems,
      Lines{"E0105 `inner.count` must be between -2147483648 and 2147483647, found 3000000000"});
}

TEST(Durations, NeedAUnit) {
  EXPECT_EQ(parse_duration("500ms").value().seconds, 0.5);
  EXPECT_EQ(parse_duration("30s").value().seconds, 30);
  EXPECT_EQ(parse_duration("1.5m").value().seconds, 90);
  EXPECT_EQ(parse_duration("48h").value().seconds, 172'800);
  EXPECT_EQ(parse_duration("7 d").value().seconds, 604'800);
  for (const char* bad :
       {"30", "s", "-1s", "1w", "nan s", "inf s", "1e400s", "", "1h30m", "1e300d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(read("{name: a, wait: 30}").problems,
            Lines{"E0107 `wait` must be a length of time, found an integer (`30`)"});
}

TEST(ByteSizes, KnowBothKindsOfUnits) {
  EXPECT_EQ(parse_byte_size("4MiB").value().bytes, 4u << 20);
  EXPECT_EQ(parse_byte_size("2GB").value().bytes, 2'000'000'000u);
  EXPECT_EQ(parse_byte_size("0.5KiB").value().bytes, 512u);
  for (const char* bad : {"4", "4M", "MiB", "-1B", "1e30TiB"})
    EXPECT_FALSE(parse_byte_size(bad)) << bad;
}

}  // namespace
}  // namespace betatune
