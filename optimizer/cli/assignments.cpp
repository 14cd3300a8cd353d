#include "optimizer/cli/assignments.hpp"

#include <charconv>
#include <fmt/format.h>

namespace betatune {
namespace {

template <class T>
std::optional<T> parse_number(const std::string& text) {
  T number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// A choice is meant by its text, so that "64" finds the number 64 and the word "64" alike.
std::optional<Value> choice_of(const Parameter& parameter, const std::string& text) {
  const std::vector<Value>* values = nullptr;
  if (const auto* ordinal = std::get_if<Ordinal>(&parameter.domain)) values = &ordinal->values;
  if (const auto* choice = std::get_if<Categorical>(&parameter.domain)) values = &choice->values;
  if (values == nullptr) return std::nullopt;
  for (const Value& value : *values) {
    if (to_text(value) == text) return value;
  }
  return std::nullopt;
}

Value value_of(const SearchSpace& space, const std::string& name, const std::string& text) {
  if (const Parameter* parameter = space.find(name)) {
    if (const auto choice = choice_of(*parameter, text)) return *choice;
  }
  if (const auto integer = parse_number<std::int64_t>(text)) return *integer;
  if (const auto real = parse_number<double>(text)) return *real;
  if (text == "true" || text == "false") return text == "true";
  return text;
}

}  // namespace

Status assign(const SearchSpace& space, const char* option, const std::vector<std::string>& texts,
              Configuration& configuration) {
  for (const std::string& each : texts) {
    const std::size_t equals = each.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorKind::invalid_argument,
                   fmt::format("{} {}: expected NAME=VALUE", option, each)};
    }
    const std::string name = each.substr(0, equals);
    configuration[name] = value_of(space, name, each.substr(equals + 1));
  }
  return Ok{};
}

}  // namespace betatune
