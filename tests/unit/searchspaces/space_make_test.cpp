// Every way in which a search space can be wrong.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "searchspaces/limits.hpp"
#include "searchspaces/space.hpp"
#include "tests/support/spaces.hpp"

namespace betatune {
namespace {

using namespace test;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(SpaceMake, RefusesBoundsTheWrongWayRound) {
  EXPECT_EQ(refusal_of({real("lr", 1, 0.1)}), "`lr`: min 1 is above max 0.1; swap them");
  EXPECT_EQ(refusal_of({integer("n", 5, 4)}), "`n`: min 5 is above max 4; swap them");
}

TEST(SpaceMake, RefusesBoundsThatTheScaleCannotTake) {
  EXPECT_EQ(refusal_of({real("lr", 0, 1, Scale::log)}), "`lr`: scale log needs min above 0, got 0");
  EXPECT_THAT(refusal_of({real("lr", -1, 1, Scale::log)}), HasSubstr("min above 0, got -1"));
  EXPECT_THAT(refusal_of({integer("n", 0, 8, Scale::log)}), HasSubstr("min of at least 1, got 0"));
  EXPECT_THAT(refusal_of({real("p", 0, 0.5, Scale::logit)}), HasSubstr("0 < min and max < 1"));
  EXPECT_THAT(refusal_of({real("p", 0.5, 1, Scale::logit)}), HasSubstr("0 < min and max < 1"));
  EXPECT_THAT(refusal_of({integer("n", 1, 8, Scale::logit)}),
              HasSubstr("linear or log, not logit"));
}

TEST(SpaceMake, RefusesBoundsThatAreNotFinite) {
  EXPECT_THAT(refusal_of({real("x", -kInfinity, 1)}), HasSubstr("finite"));
  EXPECT_THAT(refusal_of({real("x", 0, std::numeric_limits<double>::quiet_NaN())}),
              HasSubstr("finite"));
  EXPECT_THAT(refusal_of({real("x", -1.7e308, 1.7e308)}), HasSubstr("too large"));
}

TEST(SpaceMake, RefusesStepsThatMakeNoGrid) {
  EXPECT_THAT(refusal_of({stepped("x", 0, 1, 0)}), HasSubstr("step 0 is not above 0"));
  EXPECT_THAT(refusal_of({stepped("x", 0, 1, -0.1)}), HasSubstr("not above 0"));
  EXPECT_THAT(refusal_of({stepped("x", 0, 1, std::numeric_limits<double>::quiet_NaN())}),
              HasSubstr("not above 0"));
  EXPECT_THAT(refusal_of({stepped("x", 0, 1, 2)}), HasSubstr("larger than max - min"));
  EXPECT_THAT(refusal_of({stepped("x", 0, 1, 1e-300)}), HasSubstr("too many steps"));
  EXPECT_THAT(refusal_of({integer("n", 0, 10, Scale::linear, 0)}),
              HasSubstr("step 0 is not above 0"));
  EXPECT_THAT(refusal_of({integer("n", 0, 10, Scale::linear, 11)}),
              HasSubstr("larger than max - min"));
  Parameter both = stepped("x", 0.1, 1, 0.1);
  std::get<Real>(both.domain).scale = Scale::log;
  EXPECT_THAT(refusal_of({both}), HasSubstr("step needs scale linear"));
}

TEST(SpaceMake, RefusesRangesFinerThanTheUnitIntervalCanTellApart) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(refusal_of({integer("n", std::numeric_limits<std::int64_t>::min(), kMost)}),
              HasSubstr("too many integers"));
  EXPECT_THAT(refusal_of({integer("n", 1, kMost, Scale::log)}), HasSubstr("too many integers"));
  EXPECT_EQ(refusal_of({integer("n", 0, kMost, Scale::linear, std::int64_t{1} << 20)}), "");
}

TEST(SpaceMake, RefusesChoicesThatAreNone) {
  EXPECT_EQ(refusal_of({categorical("c", {})}), "`c`: no values to choose from; give at least one");
  EXPECT_THAT(refusal_of({ordinal("o", {})}), HasSubstr("no values to choose from"));
  EXPECT_THAT(refusal_of({categorical("c", texts({"a", "b", "a"}))}),
              HasSubstr("`a` is given twice"));
  EXPECT_THAT(refusal_of({ordinal("o", {whole(1), Value(1.0)})}), HasSubstr("`1` is given twice"));
  EXPECT_THAT(refusal_of({ordinal("o", {Value(kInfinity)})}), HasSubstr("not a finite number"));
  EXPECT_THAT(refusal_of({ordinal("o", std::vector<Value>(limits::kChoices + 1, whole(1)))}),
              HasSubstr("limit of 10000"));
}

TEST(SpaceMake, RefusesNamesThatExpressionsOrFilesCouldNotHold) {
  EXPECT_EQ(refusal_of({real("lr", 0, 1), real("lr", 0, 1)}),
            "`lr`: is declared twice; rename or remove one");
  for (const std::string name : {"", "1st", "a b", "a=b", "a`b", "{a}", "\xc3\xa9", "-a", ".a"}) {
    EXPECT_THAT(refusal_of({real(name, 0, 1)}), HasSubstr("a name begins with a letter")) << name;
  }
  EXPECT_THAT(refusal_of({real("and", 0, 1)}), HasSubstr("word of the expression language"));
  EXPECT_THAT(refusal_of({real(std::string(200, 'x'), 0, 1)}), HasSubstr("at most 128 bytes"));
  EXPECT_EQ(refusal_of({real("model.lr-2/weight_decay", 0, 1), real("log", 0, 1)}), "");
}

TEST(SpaceMake, RefusesTooManyParameters) {
  std::vector<Parameter> many;
  for (std::size_t i = 0; i <= limits::kParameters; ++i)
    many.push_back(real("p" + std::to_string(i), 0, 1));

  EXPECT_THAT(refusal_of(many), HasSubstr("more than the limit of 1000"));
  many.pop_back();
  EXPECT_EQ(refusal_of(many), "");
}

TEST(SpaceMake, RefusesDefaultsOutsideTheDomain) {
  EXPECT_EQ(refusal_of({defaulting(real("lr", 0, 1), 2.0)}),
            "`lr`: default: expected a number from 0 to 1, got `2`");
  EXPECT_THAT(refusal_of({defaulting(integer("n", 0, 8, Scale::linear, 4), whole(3))}),
              HasSubstr("one of 0, 4, ... 8, got `3`"));
  EXPECT_THAT(refusal_of({defaulting(categorical("c", texts({"a"})), Value("b"))}),
              HasSubstr("one of a, got `b`"));
  EXPECT_THAT(refusal_of({defaulting(real("lr", 0, 1), Value("0.5"))}), HasSubstr("got `0.5`"));
  EXPECT_THAT(refusal_of({defaulting(constant("k", whole(1)), whole(1))}),
              HasSubstr("has no default"));
}

TEST(SpaceMake, KeepsDefaultsInTheDeclaredType) {
  const SearchSpace space =
      space_of({defaulting(real("lr", 0, 1), whole(1)), defaulting(integer("n", 0, 9), 4.0)});

  EXPECT_EQ(space.find("lr")->default_value, Value(1.0));
  EXPECT_EQ(space.find("n")->default_value, whole(4));
}

TEST(SpaceMake, RefusesWordsThatNameNoParameter) {
  EXPECT_THAT(refusal_of({when(real("b", 0, 1), "aa > 1"), real("a", 0, 2)}),
              StartsWith("`b`: `aa > 1`: column 1: `aa` is not a parameter"));
  EXPECT_THAT(refusal_of({when(real("b", 0, 1), "aa == sgd")}), StartsWith("`b`: "));
  EXPECT_THAT(refusal_of({real("a", 0, 1)}, {"a + c < 1"}), StartsWith("`a + c < 1`: "));
  EXPECT_THAT(refusal_of({real("a", 0, 1), derived("d", "a * c")}), StartsWith("`d`: "));
  EXPECT_THAT(refusal_of({real("a", 0, 1)}, {"1 < 2"}), HasSubstr("names no parameter"));
}

TEST(SpaceMake, RefusesComparisonsWithAWordThatIsNoneOfTheChoices) {
  const Parameter optimizer = categorical("optimizer", texts({"sgd", "adamw"}));

  EXPECT_EQ(
      refusal_of({optimizer, when(real("m", 0, 1), "optimizer == sdg")}),
      "`m`: `optimizer == sdg`: `sdg` is not a value of `optimizer`, which is one of sgd, adamw");
  EXPECT_THAT(refusal_of({optimizer, when(real("m", 0, 1), "optimizer in [sgd, adam]")}),
              HasSubstr("`adam` is not a value"));
  EXPECT_THAT(refusal_of({real("a", 0, 1), when(real("m", 0, 1), "a == half")}),
              HasSubstr("`half` is not a value of `a`"));
}

TEST(SpaceMake, RefusesCycles) {
  EXPECT_THAT(refusal_of({when(integer("a", 0, 1), "a == 1")}),
              HasSubstr("`a`: depends on itself: a -> a"));
  EXPECT_THAT(refusal_of({when(integer("a", 0, 1), "b == 1"), when(integer("b", 0, 1), "c == 1"),
                          when(integer("c", 0, 1), "a == 1")}),
              HasSubstr("`a`: depends on itself: a -> b -> c -> a"));
  EXPECT_THAT(refusal_of({derived("a", "b + 1"), derived("b", "a + 1")}), HasSubstr("a -> b -> a"));
  EXPECT_THAT(refusal_of({when(integer("a", 0, 1), "d > 1"), derived("d", "a + 1")}),
              HasSubstr("a -> d -> a"));
}

TEST(SpaceMake, RefusesConstraintsThatNoDrawMeets) {
  EXPECT_THAT(refusal_of({real("x", 0, 1)}, {"x <= 1", "x >= 2"}),
              StartsWith("`x >= 2`: none of 10000 random configurations meets the constraints"));
  EXPECT_THAT(refusal_of({real("x", 0, 1)}, {"x < 0.4", "x > 0.6"}), HasSubstr("none of 10000"));
}

TEST(SpaceMake, RefusesExpressionsThatDrawsCannotCompute) {
  EXPECT_THAT(refusal_of({integer("a", 0, 3), derived("d", "1 / a")}),
              StartsWith("`d`: `1 / a` cannot be computed with a=0: column 5: division by zero"));
  EXPECT_THAT(refusal_of({real("a", 600, 800), derived("d", "exp(a)")}), HasSubstr("not finite"));
  EXPECT_THAT(refusal_of({categorical("c", texts({"x", "y"})), derived("d", "c * 2")}),
              HasSubstr("expected a number, got the text"));
  EXPECT_THAT(refusal_of({integer("a", 0, 3), when(integer("b", 0, 1), "1 / a > 0")}),
              StartsWith("`b`: `1 / a > 0` cannot be computed"));
  EXPECT_THAT(refusal_of({categorical("c", texts({"x", "y"})), when(integer("b", 0, 1), "c")}),
              HasSubstr("expected true or false"));
  EXPECT_THAT(refusal_of({integer("a", 0, 3)}, {"1 / a < 2"}),
              StartsWith("`1 / a < 2`: column 5: division by zero with a=0"));
  EXPECT_THAT(refusal_of({categorical("c", texts({"x", "y"}))}, {"c < 3"}),
              HasSubstr("expected a number"));
}

TEST(SpaceMake, AConstraintMayRuleOutWhatCannotBeComputed) {
  EXPECT_EQ(refusal_of({integer("a", 0, 3), derived("d", "1 / a")}, {"a > 0"}), "");
  EXPECT_EQ(refusal_of({integer("a", 0, 3)}, {"1 / a < 2", "a > 0"}), "");
}

TEST(SpaceMake, TellsAllProblemsAtOnce) {
  EXPECT_EQ(refusal_of({real("a", 1, 0), categorical("b", {}), when(real("c", 0, 1), "zz > 1")},
                       {"yy < 1"}),
            "`a`: min 1 is above max 0; swap them\n"
            "`b`: no values to choose from; give at least one\n"
            "`c`: `zz > 1`: column 1: `zz` is not a parameter of this space; correct the name, or "
            "compare a "
            "parameter with it if it is a value\n"
            "`yy < 1`: column 1: `yy` is not a parameter of this space; correct the "
            "name, or compare a "
            "parameter with it if it is a value");
}

TEST(SpaceMake, ADeepLineOfConditionsIsFine) {
  std::vector<Parameter> line{integer("p0", 0, 1)};
  for (std::size_t i = 1; i < limits::kParameters; ++i) {
    line.push_back(
        when(integer("p" + std::to_string(i), 0, 1), "p" + std::to_string(i - 1) + " == 1"));
  }
  std::swap(line.front(), line.back());

  const SearchSpace space = space_of(line);

  const Configuration all = space.decode(Eigen::VectorXd::Ones(space.dims()));
  EXPECT_EQ(all.size(), limits::kParameters);
  EXPECT_EQ(space.decode(Eigen::VectorXd::Zero(space.dims())).size(), 1u);
}

}  // namespace
}  // namespace betatune
