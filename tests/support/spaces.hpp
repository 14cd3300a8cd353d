#pragma once
/// Short ways to write parameters in tests, and random spaces for property tests.

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

#include "searchspaces/space.hpp"

namespace betatune::test {

inline Value whole(std::int64_t n) {
  return n;
}
inline std::vector<Value> texts(const std::vector<std::string>& words) {
  return {words.begin(), words.end()};
}

inline Expression parsed(const std::string& text) {
  auto expression = Expression::parse(text);
  if (expression) return std::move(expression).value();
  ADD_FAILURE() << text << ": " << expression.error().message;
  return Expression::member_of("none", {Value(true)});
}

inline Parameter real(std::string name, double min, double max, Scale scale = Scale::linear) {
  return {std::move(name), Real{min, max, scale, std::nullopt}, std::nullopt, std::nullopt};
}
inline Parameter stepped(std::string name, double min, double max, double step) {
  return {std::move(name), Real{min, max, Scale::linear, step}, std::nullopt, std::nullopt};
}
inline Parameter integer(std::string name, std::int64_t min, std::int64_t max,
                         Scale scale = Scale::linear, std::int64_t step = 1) {
  return {std::move(name), Integer{min, max, scale, step}, std::nullopt, std::nullopt};
}
inline Parameter ordinal(std::string name, std::vector<Value> values) {
  return {std::move(name), Ordinal{std::move(values)}, std::nullopt, std::nullopt};
}
inline Parameter categorical(std::string name, std::vector<Value> values) {
  return {std::move(name), Categorical{std::move(values)}, std::nullopt, std::nullopt};
}
inline Parameter constant(std::string name, Value value) {
  return {std::move(name), Constant{std::move(value)}, std::nullopt, std::nullopt};
}
inline Parameter derived(std::string name, const std::string& text) {
  return {std::move(name), Derived{parsed(text)}, std::nullopt, std::nullopt};
}
inline Parameter when(Parameter parameter, const std::string& text) {
  parameter.when = parsed(text);
  return parameter;
}
inline Parameter defaulting(Parameter parameter, Value value) {
  parameter.default_value = std::move(value);
  return parameter;
}

inline Result<SearchSpace> make_space(std::vector<Parameter> parameters,
                                      const std::vector<std::string>& constraints = {}) {
  std::vector<Expression> expressions;
  for (const std::string& text : constraints) expressions.push_back(parsed(text));
  return SearchSpace::make(std::move(parameters), std::move(expressions));
}
/// The space, or a test failure and an empty one.
inline SearchSpace space_of(std::vector<Parameter> parameters,
                            const std::vector<std::string>& constraints = {}) {
  auto space = make_space(std::move(parameters), constraints);
  if (space) return std::move(space).value();
  ADD_FAILURE() << space.error().message;
  return {};
}
/// What make() says against it; empty if nothing.
inline std::string refusal_of(std::vector<Parameter> parameters,
                              const std::vector<std::string>& constraints = {}) {
  const auto space = make_space(std::move(parameters), constraints);
  return space ? "" : space.error().message;
}

// ---- random spaces ----

inline Domain random_number_domain(Stream& stream) {
  const double low = stream.uniform() * 10;
  const auto first = static_cast<std::int64_t>(stream.below(100));
  const auto span = static_cast<std::int64_t>(stream.below(3) == 0 ? 0 : stream.below(2'000));
  const auto step = static_cast<std::int64_t>(
      1 + (span == 0 ? 0 : stream.below(static_cast<std::uint64_t>(span))));
  switch (stream.below(6)) {
    case 0:
      return Real{-low, low * stream.uniform(), Scale::linear, std::nullopt};
    case 1:
      return Real{1e-6, 1e-6 + low, Scale::log, std::nullopt};
    case 2:
      return Real{0.5 * stream.uniform() + 1e-9, 0.9999, Scale::logit, std::nullopt};
    case 3:
      return Real{-low, 1 + low, Scale::linear, 0.01 * static_cast<double>(1 + stream.below(90))};
    case 4:
      return Integer{first - 50, first - 50 + span, Scale::linear, step};
    default:
      return Integer{first + 1, first + 1 + span, Scale::log, step};
  }
}

inline Domain random_domain(Stream& stream) {
  std::vector<Value> values;
  const std::uint64_t count = 1 + stream.below(5);
  switch (stream.below(5)) {
    case 0:
      for (std::uint64_t i = 0; i < count; ++i) values.emplace_back("word" + std::to_string(i));
      return Categorical{values};
    case 1:
      for (std::uint64_t i = 0; i < count; ++i) values.emplace_back(std::int64_t{8} << i);
      return Ordinal{values};
    case 2:
      return Categorical{{Value(true), Value(false), Value(0.5), Value("auto")}};
    default:
      return random_number_domain(stream);
  }
}

/// A condition on an earlier parameter, whatever its type.
inline Expression random_condition(Stream& stream, const Parameter& on) {
  if (const auto* choice = std::get_if<Categorical>(&on.domain)) {
    return Expression::member_of(on.name, {choice->values[stream.below(choice->values.size())]});
  }
  return parsed((stream.below(2) == 0 ? "not " : "") + on.name + " >= 8");
}

/// Up to eight searched parameters of all kinds, half of them conditional, with a constant, a
/// derived parameter and, where one can be met, a constraint between numbers.
inline SearchSpace random_space(Stream& stream) {
  std::vector<Parameter> parameters{constant("fixed", Value("yes"))};
  std::vector<std::string> numbers;
  const std::uint64_t count = 1 + stream.below(8);
  for (std::uint64_t i = 0; i < count; ++i) {
    Parameter made{"p" + std::to_string(i), random_domain(stream), std::nullopt, std::nullopt};
    if (i > 0 && stream.below(2) == 0) {
      made.when = random_condition(stream, parameters[1 + stream.below(i)]);
    }
    if (!std::holds_alternative<Categorical>(made.domain)) numbers.push_back(made.name);
    parameters.push_back(std::move(made));
  }
  std::vector<std::string> constraints;
  if (numbers.size() > 1) {
    parameters.push_back(derived("sum", numbers[0] + " + " + numbers[1]));
    constraints.push_back("sum / 2 <= " + std::to_string(stream.below(200)));
  }
  auto space = make_space(parameters, constraints);
  return space ? std::move(space).value() : space_of(parameters);
}

}  // namespace betatune::test
