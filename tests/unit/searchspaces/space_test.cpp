#include "searchspaces/space.hpp"

#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "tests/support/spaces.hpp"

namespace betatune {
namespace {

using namespace test;
using ::testing::HasSubstr;

SearchSpace optimizers() {
  return space_of({categorical("optimizer", texts({"sgd", "adamw", "lamb"})),
                   when(real("momentum", 0.5, 0.99), "optimizer == sgd"),
                   when(categorical("nesterov", {Value(true), Value(false)}), "momentum > 0.8"),
                   when(real("beta2", 0.9, 0.9999, Scale::logit), "optimizer in [adamw, lamb]")});
}

std::string problems(const SearchSpace& space, const Configuration& configuration) {
  const Status status = space.check(configuration);
  return status ? "" : status.error().message;
}
std::string incomplete(const SearchSpace& space, const Configuration& configuration) {
  const auto complete = space.complete(configuration);
  return complete ? "" : complete.error().message;
}

// ---- conditions ----

TEST(SearchSpace, AChildExistsOnlyWhereItsParentsAllowIt) {
  const SearchSpace space = optimizers();
  std::map<std::string, int> seen;

  for (std::uint64_t n = 0; n < 500; ++n) {
    const Configuration drawn = space.sample(fold_in(root_key(1), n));
    const bool sgd = drawn.at("optimizer") == Value("sgd");
    const bool fast = sgd && std::get<double>(drawn.at("momentum")) > 0.8;

    EXPECT_EQ(drawn.contains("momentum"), sgd);
    EXPECT_EQ(drawn.contains("nesterov"), fast);
    EXPECT_EQ(drawn.contains("beta2"), !sgd);
    ++seen[sgd ? fast ? "fast" : "slow" : "adaptive"];
  }

  EXPECT_EQ(seen.size(), 3u);
}

TEST(SearchSpace, InactiveColumnsAreNaNAndOthersAreNot) {
  const SearchSpace space = optimizers();

  const Eigen::VectorXd point =
      space.encode({{"optimizer", Value("adamw")}, {"beta2", Value(0.99)}});

  ASSERT_EQ(space.dims(), 4);
  EXPECT_DOUBLE_EQ(point[0], 0.5);
  EXPECT_TRUE(is_inactive(point[1]));
  EXPECT_TRUE(is_inactive(point[2]));
  EXPECT_FALSE(is_inactive(point[3]));
  EXPECT_FALSE(space.columns()[0].conditional);
  EXPECT_TRUE(space.columns()[1].conditional);
}

TEST(SearchSpace, ConditionsMayNameParametersDeclaredLater) {
  const SearchSpace space = space_of(
      {when(integer("child", 1, 3), "parent == yes"), categorical("parent", texts({"yes", "no"}))});

  EXPECT_TRUE(space.check({{"parent", Value("no")}}));
  EXPECT_TRUE(space.check({{"parent", Value("yes")}, {"child", whole(2)}}));
  EXPECT_FALSE(space.check({{"parent", Value("no")}, {"child", whole(2)}}));
  EXPECT_FALSE(space.check({{"parent", Value("yes")}}));
}

TEST(SearchSpace, AMissingColumnThatTurnsOutActiveTakesItsDefaultOrTheMiddle) {
  const SearchSpace space = space_of({defaulting(real("lr", 0, 10), 1.0), real("decay", 0, 10)});

  const Configuration decoded = space.decode(Eigen::Vector2d(std::nan(""), std::nan("")));

  EXPECT_EQ(decoded, (Configuration{{"lr", Value(1.0)}, {"decay", Value(5.0)}}));
}

TEST(SearchSpace, TrialsOfAnEarlierSpaceAreEncodedIfTheirValuesStillExist) {
  const SearchSpace space = space_of({real("lr", 0, 1), integer("added", 1, 4)});

  const auto older = space.try_encode({{"lr", Value(0.5)}, {"removed", Value("x")}});
  const auto outside = space.try_encode({{"lr", Value(2.0)}, {"added", whole(2)}});

  ASSERT_TRUE(older.has_value());
  EXPECT_EQ((*older)[0], 0.5);
  EXPECT_TRUE(is_inactive((*older)[1]));
  EXPECT_FALSE(outside.has_value());
}

// ---- encoding ----

TEST(SearchSpace, GridsAndChoicesAreEncodedAtTheMiddleOfEqualCells) {
  const SearchSpace space =
      space_of({integer("n", 10, 40, Scale::linear, 10),
                ordinal("size", {whole(32), whole(64), whole(128), whole(256)})});

  for (int k = 0; k < 4; ++k) {
    const double middle = (k + 0.5) / 4;
    const Configuration decoded = space.decode(Eigen::Vector2d(middle, middle));

    EXPECT_EQ(decoded.at("n"), whole(10 * (k + 1)));
    EXPECT_EQ(decoded.at("size"), whole(32 << k));
    EXPECT_EQ(space.encode(decoded), Eigen::Vector2d(middle, middle));
    EXPECT_EQ(space.level(0, static_cast<std::uint64_t>(k)), middle);
    // The cell's ends belong to it and to its right neighbour.
    EXPECT_EQ(space.snap(0, k * 0.25), middle);
    EXPECT_EQ(space.snap(0, std::nextafter((k + 1) * 0.25, 0)), middle);
  }
}

TEST(SearchSpace, ScalesAreUniformWhereTheyPromise) {
  const SearchSpace space = space_of({real("linear", 2, 4), real("log", 1e-4, 1, Scale::log),
                                      real("logit", 0.1, 0.9, Scale::logit)});

  const Configuration middle = space.decode(Eigen::Vector3d(0.5, 0.5, 0.5));

  EXPECT_DOUBLE_EQ(std::get<double>(middle.at("linear")), 3);
  EXPECT_DOUBLE_EQ(std::get<double>(middle.at("log")), 1e-2);
  EXPECT_DOUBLE_EQ(std::get<double>(middle.at("logit")), 0.5);
}

TEST(SearchSpace, EndsOfTheCubeAreExactlyTheBounds) {
  const SearchSpace space = space_of({real("a", 0.1, 0.7), real("b", 1e-5, 0.3, Scale::log),
                                      real("c", 0.9, 0.9999, Scale::logit)});

  EXPECT_EQ(space.decode(Eigen::Vector3d(0, 0, 0)),
            (Configuration{{"a", Value(0.1)}, {"b", Value(1e-5)}, {"c", Value(0.9)}}));
  EXPECT_EQ(space.decode(Eigen::Vector3d(1, 1, 1)),
            (Configuration{{"a", Value(0.7)}, {"b", Value(0.3)}, {"c", Value(0.9999)}}));
  EXPECT_EQ(space.decode(Eigen::Vector3d(-1, -1, 7)),
            (Configuration{{"a", Value(0.1)}, {"b", Value(1e-5)}, {"c", Value(0.9999)}}));
}

TEST(SearchSpace, DecimalStepsGiveTheNumbersThatAPersonWrites) {
  const SearchSpace space = space_of({stepped("dropout", 0, 0.5, 0.1)});
  std::vector<double> values;

  for (std::uint64_t k = 0; k < space.columns()[0].levels; ++k) {
    values.push_back(std::get<double>(
        space.decode(Eigen::VectorXd::Constant(1, space.level(0, k))).at("dropout")));
  }

  EXPECT_EQ(values, (std::vector<double>{0, 0.1, 0.2, 0.3, 0.4, 0.5}));
  EXPECT_TRUE(space.check({{"dropout", Value(0.1 + 0.2)}}));
  EXPECT_EQ(space.complete({{"dropout", Value(0.1 + 0.2)}}).value().at("dropout"), Value(0.3));
  EXPECT_FALSE(space.check({{"dropout", Value(0.31)}}));
}

TEST(SearchSpace, TheLastGridPointIsNotAboveMax) {
  const SearchSpace space =
      space_of({integer("n", 1, 10, Scale::linear, 4), stepped("x", 0, 1, 0.3),
                integer("m", 64, 500, Scale::log, 64), stepped("y", 0, 1, 1.0 / 3)});

  const Configuration last = space.decode(Eigen::Vector4d(1, 1, 1, 1));

  EXPECT_EQ(last.at("n"), whole(9));
  EXPECT_EQ(last.at("x"), Value(0.9));
  EXPECT_EQ(last.at("m"), whole(448));
  EXPECT_LE(std::get<double>(last.at("y")), 1);
  EXPECT_NEAR(std::get<double>(last.at("y")), 1, 1e-12);
}

TEST(SearchSpace, ALogIntegerSharesTheIntervalAsItsScaleSays) {
  const SearchSpace space = space_of({integer("units", 1, 1024, Scale::log)});

  // Borders between neighbours are their geometric means, so 1 owns ln 2 of ln(1024 * ...).
  const double width = std::log(std::sqrt(2.0)) + std::log(std::sqrt(1024.0 * 1025));
  const double border = 2 * std::log(std::sqrt(2.0)) / width;
  const auto at = [&](double u) {
    return space.decode(Eigen::VectorXd::Constant(1, u)).at("units");
  };

  EXPECT_EQ(at(border - 1e-9), whole(1));
  EXPECT_EQ(at(border + 1e-9), whole(2));
  // Half of the interval is half of the magnitudes, not half of the numbers.
  EXPECT_NEAR(static_cast<double>(std::get<std::int64_t>(at(0.5))), 27, 1);
  for (std::int64_t n = 1; n <= 1024; ++n) {
    const Eigen::VectorXd point = space.encode({{"units", whole(n)}});
    ASSERT_EQ(space.decode(point).at("units"), whole(n));
    ASSERT_EQ(space.level(0, static_cast<std::uint64_t>(n - 1)), point[0]);
  }
}

TEST(SearchSpace, DrawsOfALogIntegerRespectItsStep) {
  const SearchSpace space = space_of({integer("hidden", 64, 2048, Scale::log, 64)});
  std::map<std::int64_t, int> counts;

  for (std::uint64_t n = 0; n < 20'000; ++n) {
    ++counts[std::get<std::int64_t>(space.sample(fold_in(root_key(2), n)).at("hidden"))];
  }

  EXPECT_EQ(counts.size(), 32u);
  for (const auto& [value, count] : counts) EXPECT_EQ(value % 64, 0);
  // ln 2 of ln(2048 * sqrt(2112 / 2048) / (64 / sqrt(2))) = 18.1 %; 5 standard deviations are 1.4
  // %.
  EXPECT_NEAR(counts[64] / 20'000.0, 0.181, 0.014);
}

TEST(SearchSpace, HugeIntegerRangesWorkWithoutTables) {
  const std::int64_t huge = (std::int64_t{1} << 48) + 12'345;
  const SearchSpace space = space_of(
      {integer("linear", -huge, huge), integer("log", 1, std::int64_t{1} << 40, Scale::log)});

  for (std::uint64_t n = 0; n < 2'000; ++n) {
    const Configuration drawn = space.sample(fold_in(root_key(3), n));
    ASSERT_EQ(space.decode(space.encode(drawn)), drawn);
  }
  for (const std::int64_t n : {-huge, -huge + 1, std::int64_t{0}, huge - 1, huge}) {
    const Configuration edge{{"linear", whole(n)}, {"log", whole((std::int64_t{1} << 40) - 1)}};
    ASSERT_TRUE(space.check(edge));
    EXPECT_EQ(space.decode(space.encode(edge)), edge);
  }
}

TEST(SearchSpace, OneLevelIsEnough) {
  const SearchSpace space =
      space_of({real("a", 0.3, 0.3, Scale::log), integer("b", 5, 5, Scale::log),
                categorical("c", texts({"only"})), stepped("d", 2, 2, 0.5)});

  EXPECT_EQ(space.size(), 1);
  EXPECT_EQ(
      space.sample(root_key(1)),
      (Configuration{{"a", Value(0.3)}, {"b", whole(5)}, {"c", Value("only")}, {"d", Value(2.0)}}));
  for (const Column& column : space.columns()) EXPECT_EQ(column.levels, 1u);
}

TEST(SearchSpace, SizeCountsLevelsUnlessThereAreTooMany) {
  EXPECT_EQ(
      space_of({integer("a", 1, 6, Scale::linear, 2), categorical("b", texts({"x", "y"}))}).size(),
      6);
  EXPECT_EQ(space_of({integer("a", 1, 6), real("b", 0, 1)}).size(), std::nullopt);
  EXPECT_EQ(
      space_of({integer("a", 1, std::int64_t{1} << 30), integer("b", 1, std::int64_t{1} << 30)})
          .size(),
      std::nullopt);
  EXPECT_EQ(SearchSpace().size(), 1);
  EXPECT_EQ(SearchSpace().sample(root_key(1)), Configuration{});
}

// ---- constants, derived parameters, constraints ----

TEST(SearchSpace, DerivedParametersMayBuildOnEachOther) {
  const SearchSpace space =
      space_of({derived("area", "side * side"), derived("side", "base + 1"), integer("base", 1, 5),
                constant("depth", whole(3)), derived("volume", "area * depth")},
               {"volume <= 48"});

  const auto complete = space.complete({{"base", whole(3)}});

  ASSERT_TRUE(complete) << complete.error().message;
  EXPECT_EQ(complete.value().at("volume"), whole(48));
  EXPECT_EQ(space.dims(), 1);
  EXPECT_THAT(incomplete(space, {{"base", whole(4)}}),
              HasSubstr("`volume <= 48`: this constraint is not met with volume=75"));
}

TEST(SearchSpace, ADerivedParameterOfAnInactiveOneIsInactive) {
  const SearchSpace space =
      space_of({categorical("norm", {Value(true), Value(false)}),
                when(integer("groups", 2, 8), "norm"), derived("per_group", "64 / groups")});

  EXPECT_EQ(space.complete({{"norm", Value(false)}}).value(),
            (Configuration{{"norm", Value(false)}}));
  EXPECT_EQ(space.complete({{"norm", Value(true)}, {"groups", whole(4)}}).value().at("per_group"),
            whole(16));
}

TEST(SearchSpace, AConstraintOnAnInactiveParameterIsNotInForce) {
  const SearchSpace space = space_of(
      {categorical("norm", {Value(true), Value(false)}), when(integer("groups", 2, 8), "norm")},
      {"groups == 4"});

  EXPECT_TRUE(space.satisfies_constraints({{"norm", Value(false)}}));
  EXPECT_TRUE(space.satisfies_constraints({{"norm", Value(true)}, {"groups", whole(4)}}));
  EXPECT_FALSE(space.satisfies_constraints({{"norm", Value(true)}, {"groups", whole(5)}}));
}

TEST(SearchSpace, EveryDrawMeetsRareConstraints) {
  const SearchSpace space = space_of({real("x", 0, 1), real("y", 0, 1)}, {"x + y < 0.1", "x > y"});

  for (std::uint64_t n = 0; n < 100; ++n) {
    const Configuration drawn = space.sample(fold_in(root_key(4), n));
    EXPECT_TRUE(space.check(drawn)) << problems(space, drawn);
    EXPECT_TRUE(space.feasible(space.encode(drawn)));
  }
  EXPECT_FALSE(space.feasible(Eigen::Vector2d(0.5, 0.6)));
}

TEST(SearchSpace, WhatCannotBeComputedIsInfeasible) {
  const SearchSpace space =
      space_of({integer("a", 0, 3), derived("inverse", "12 / a")}, {"a != 0"});

  EXPECT_FALSE(space.feasible(Eigen::VectorXd::Zero(1)));
  EXPECT_EQ(space.decode(Eigen::VectorXd::Zero(1)), (Configuration{{"a", whole(0)}}));
  EXPECT_FALSE(space.satisfies_constraints({{"a", whole(0)}}));
  EXPECT_THAT(incomplete(space, {{"a", whole(0)}}),
              HasSubstr("`inverse`: `12 / a` cannot be computed"));
  for (std::uint64_t n = 0; n < 50; ++n) {
    EXPECT_NE(space.sample(fold_in(root_key(5), n)).at("a"), whole(0));
  }
}

// ---- what people write ----

TEST(SearchSpace, CompletingConvertsNumbersAndFillsInTheRest) {
  const SearchSpace space =
      space_of({defaulting(real("lr", 1e-5, 1, Scale::log), 1e-3), integer("layers", 1, 8),
                ordinal("batch", {whole(32), whole(64)}), real("clip", 0, 10),
                constant("decay", Value(0.1)), derived("twice", "layers * 2")});

  const auto complete =
      space.complete({{"layers", Value(3.0)}, {"batch", Value(64.0)}, {"clip", whole(1)}});

  ASSERT_TRUE(complete) << complete.error().message;
  EXPECT_EQ(complete.value(), (Configuration{{"lr", Value(1e-3)},
                                             {"layers", whole(3)},
                                             {"batch", whole(64)},
                                             {"clip", Value(1.0)},
                                             {"decay", Value(0.1)},
                                             {"twice", whole(6)}}));
  EXPECT_EQ(space.complete(complete.value()).value(), complete.value());
}

TEST(SearchSpace, CompletingNamesEveryProblemOnItsOwnLine) {
  const SearchSpace space =
      space_of({real("lr", 1e-5, 1, Scale::log), integer("layers", 1, 9, Scale::linear, 2),
                categorical("optimizer", texts({"sgd", "adamw"})),
                when(real("momentum", 0, 1), "optimizer == sgd"), constant("decay", Value(0.1)),
                derived("twice", "layers * 2"), integer("free", 0, 1)});

  const std::string message = incomplete(space, {{"lr", Value(2.0)},
                                                 {"layers", whole(4)},
                                                 {"optimizer", Value("adamw")},
                                                 {"momentum", Value(0.5)},
                                                 {"decay", Value(0.2)},
                                                 {"twice", whole(8)},
                                                 {"lrr", Value(1.0)}});

  EXPECT_EQ(message,
            "`lr`: expected a number from 1e-5 to 1, got `2`\n"
            "`layers`: expected one of 1, 3, ... 9, got `4`\n"
            "`momentum`: does not exist here, because `optimizer == sgd` does not hold; remove it\n"
            "`decay`: is `0.2` but must be `0.1`; leave it out, it is computed\n"
            "`free`: is missing and has no default; give an integer from 0 to 1\n"
            "`lrr`: is not a parameter of this space; remove it");
}

TEST(SearchSpace, ABrokenParentDoesNotMakeItsChildrenProblems) {
  const SearchSpace space = optimizers();

  EXPECT_EQ(incomplete(space, {{"optimizer", Value("sgdd")}, {"momentum", Value(0.6)}}),
            "`optimizer`: expected one of sgd, adamw, lamb, got `sgdd`");
}

TEST(SearchSpace, CheckWantsEverythingInPlace) {
  const SearchSpace space =
      space_of({integer("a", 1, 4), derived("b", "a + 1"), constant("c", Value("x"))});

  EXPECT_EQ(problems(space, {{"a", whole(1)}, {"b", whole(2)}, {"c", Value("x")}}), "");
  EXPECT_THAT(problems(space, {{"a", whole(1)}, {"b", whole(3)}, {"c", Value("x")}}),
              HasSubstr("`b`: is `3` but must be `2`"));
  EXPECT_THAT(problems(space, {{"a", whole(1)}, {"b", whole(2)}}),
              HasSubstr("`c`: is missing; it must be `x`"));
  EXPECT_THAT(problems(space, {{"b", whole(2)}, {"c", Value("x")}}),
              HasSubstr("`a`: is missing; give an integer from 1 to 4"));
  EXPECT_THAT(problems(space, {{"a", Value("1")}, {"c", Value("x")}}),
              HasSubstr("`a`: expected an integer from 1 to 4, got `1`"));
  EXPECT_THAT(problems(space, {{"a", Value(1.5)}}), HasSubstr("`a`: expected an integer"));
  EXPECT_THAT(problems(space, {{"a", Value(true)}}), HasSubstr("`a`: expected an integer"));
}

TEST(SearchSpace, BooleansAndNumbersAreDifferentChoices) {
  const SearchSpace space =
      space_of({categorical("c", {Value(true), whole(1), Value("1"), Value("true")})});

  for (std::uint64_t k = 0; k < 4; ++k) {
    const Configuration decoded = space.decode(Eigen::VectorXd::Constant(1, space.level(0, k)));
    EXPECT_EQ(decoded.at("c").index(), (std::vector<std::size_t>{0, 1, 3, 3})[k]);
    EXPECT_EQ(space.encode(decoded)[0], space.level(0, k));
  }
}

TEST(SearchSpace, FindsParametersByName) {
  const SearchSpace space = optimizers();

  ASSERT_NE(space.find("beta2"), nullptr);
  EXPECT_EQ(space.find("beta2")->name, "beta2");
  EXPECT_EQ(space.find("beta3"), nullptr);
  EXPECT_EQ(space.find(""), nullptr);
}

}  // namespace
}  // namespace betatune
