#include "searchspaces/space.hpp"

#include <gtest/gtest.h>
#include <map>

namespace betatune {
namespace {

Expression parsed(const std::string& text) {
  auto expression = Expression::parse(text);
  if (!expression) ADD_FAILURE() << text << ": " << expression.error().message;
  return expression ? expression.value() : Expression::member_of("none", {Value(true)});
}
Parameter real(std::string name, double min, double max, Scale scale = Scale::linear) {
  return {std::move(name), Real{min, max, scale, std::nullopt}, std::nullopt, std::nullopt};
}
Parameter integer(std::string name, std::int64_t min, std::int64_t max, Scale scale = Scale::linear,
                  std::int64_t step = 1) {
  return {std::move(name), Integer{min, max, scale, step}, std::nullopt, std::nullopt};
}
Parameter words(std::string name, std::vector<Value> values) {
  return {std::move(name), Categorical{std::move(values)}, std::nullopt, std::nullopt};
}
Parameter derived(std::string name, const std::string& text) {
  return {std::move(name), Derived{parsed(text)}, std::nullopt, std::nullopt};
}
Parameter when(Parameter parameter, const std::string& text) {
  parameter.when = parsed(text);
  return parameter;
}
Parameter defaulting(Parameter parameter, Value value) {
  parameter.default_value = std::move(value);
  return parameter;
}
SearchSpace made(std::vector<Parameter> parameters,
                 const std::vector<std::string>& constraints = {}) {
  std::vector<Expression> expressions;
  for (const std::string& text : constraints) expressions.push_back(parsed(text));
  auto space = SearchSpace::make(std::move(parameters), std::move(expressions));
  if (!space) ADD_FAILURE() << space.error().message;
  return space ? space.value() : SearchSpace();
}
std::string refusal(std::vector<Parameter> parameters,
                    const std::vector<std::string>& constraints = {}) {
  std::vector<Expression> expressions;
  for (const std::string& text : constraints) expressions.push_back(parsed(text));
  const auto space = SearchSpace::make(std::move(parameters), std::move(expressions));
  return space ? "" : space.error().message;
}

TEST(SearchSpace, DrawsHoldExactlyTheActiveParameters) {
  const SearchSpace space =
      made({words("optimizer", {Value("sgd"), Value("adamw")}),
            when(real("momentum", 0.5, 0.99), "optimizer == sgd"),
            integer("hidden", 64, 2048, Scale::log, 64), derived("head", "hidden / 8")});

  for (std::uint64_t n = 0; n < 200; ++n) {
    const Configuration drawn = space.sample(fold_in(root_key(1), n));

    EXPECT_EQ(drawn.contains("momentum"), drawn.at("optimizer") == Value("sgd"));
    EXPECT_EQ(std::get<std::int64_t>(drawn.at("hidden")) / 8,
              std::get<std::int64_t>(drawn.at("head")));
    const Status status = space.check(drawn);
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(space.decode(space.encode(drawn)),
              space.decode(space.encode(space.decode(space.encode(drawn)))));
  }
}

TEST(SearchSpace, CompletingFillsDefaultsConstantsAndDerivedOnes) {
  const SearchSpace space = made({defaulting(real("lr", 1e-5, 1, Scale::log), 1e-3),
                                  integer("layers", 1, 8),
                                  {"decay", Constant{Value(0.1)}, std::nullopt, std::nullopt},
                                  derived("twice", "layers * 2")});

  const auto complete = space.complete({{"layers", Value(std::int64_t{3})}});

  ASSERT_TRUE(complete) << complete.error().message;
  EXPECT_EQ(complete.value(), (Configuration{{"lr", Value(1e-3)},
                                             {"layers", Value(std::int64_t{3})},
                                             {"decay", Value(0.1)},
                                             {"twice", Value(std::int64_t{6})}}));
}

TEST(SearchSpace, RefusesACycleOfConditions) {
  const std::string message =
      refusal({when(integer("a", 0, 1), "b == 1"), when(integer("b", 0, 1), "a == 1")});

  EXPECT_NE(message.find("`a`: depends on itself: a -> b -> a"), std::string::npos) << message;
}

TEST(SearchSpace, RefusesConstraintsThatNoDrawMeets) {
  const std::string message = refusal({real("x", 0, 1)}, {"x >= 2"});

  EXPECT_NE(message.find("`x >= 2`: none of 10000"), std::string::npos) << message;
}

}  // namespace
}  // namespace betatune
