#include "searchspaces/value.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace betatune {

namespace {

Error wrong(const std::string& what) {
  return Error{ErrorKind::invalid_argument, what};
}

/// Shortest digits that read back as the same double; exponents as people write them (1e-5).
std::string shortest(double number) {
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  const std::size_t exponent = text.find('e');
  if (exponent == std::string::npos) return text;
  std::size_t digits = exponent + 1;
  if (text[digits] == '+') text.erase(digits, 1);
  if (text[digits] == '-') ++digits;
  while (digits + 1 < text.size() && text[digits] == '0') text.erase(digits, 1);
  return text;
}

}  // namespace

Json to_json(const Value& value) {
  return std::visit([](const auto& each) { return Json(each); }, value);
}

Json to_json(const Configuration& configuration) {
  Json json = Json::object();
  for (const auto& [name, value] : configuration) json[name] = to_json(value);
  return json;
}

Result<Value> value_from_json(const Json& json) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return wrong("expected an integer below 2^63, got " + std::to_string(number));
      }
      return Value(static_cast<std::int64_t>(number));
    }
    case Json::value_t::number_float: {
      const double number = json.get<double>();
      if (!std::isfinite(number)) return wrong("expected a finite number");
      return Value(number);
    }
    case Json::value_t::string:
      return Value(json.get<std::string>());
    default:
      return wrong(std::string("expected a number, a string, true or false, got ") +
                   json.type_name());
  }
}

Result<Configuration> configuration_from_json(const Json& json) {
  if (!json.is_object()) {
    return wrong(std::string("expected an object of parameters, got ") + json.type_name());
  }
  Configuration configuration;
  for (const auto& [name, each] : json.items()) {
    auto value = value_from_json(each);
    if (!value) return wrong("`" + name + "`: " + value.error().message);
    configuration.emplace(name, std::move(value).value());
  }
  return configuration;
}

std::string to_text(const Value& value) {
  struct Write {
    std::string operator()(bool each) const { return each ? "true" : "false"; }
    std::string operator()(std::int64_t each) const { return std::to_string(each); }
    std::string operator()(double each) const { return shortest(each); }
    std::string operator()(const std::string& each) const { return each; }
  };
  return std::visit(Write{}, value);
}

std::string json_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool to_number(const Value& value, double* number) {
  if (const auto* real = std::get_if<double>(&value)) {
    *number = *real;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    *number = static_cast<double>(*integer);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    *number = *flag ? 1 : 0;
  } else {
    return false;
  }
  return true;
}

}  // namespace betatune
