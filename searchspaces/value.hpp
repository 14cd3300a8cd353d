#pragma once
/// The values that hyper-parameters take, and a configuration: what to try.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "searchspaces/result.hpp"

namespace betatune {

using Json = nlohmann::json;

using Value = std::variant<bool, std::int64_t, double, std::string>;

/// Parameter name -> value. Holds the active parameters only, constants and derived ones included.
using Configuration = std::map<std::string, Value>;

Json to_json(const Value& value);
Json to_json(const Configuration& configuration);
/// Errors: invalid_argument for null, arrays, objects and non-finite numbers, naming the key.
Result<Value> value_from_json(const Json& json);
Result<Configuration> configuration_from_json(const Json& json);

/// As a person writes it: 0.001, 64, true, adamw. Doubles in shortest round-trip form.
std::string to_text(const Value& value);
/// JSON on one line. Never an error: bytes that are not UTF-8 (texts come from trainers, too)
/// become replacement characters.
std::string json_text(const Json& json);
/// The number of a value: itself, 0/1 for a bool; nothing for a string.
bool to_number(const Value& value, double* number);

}  // namespace betatune
