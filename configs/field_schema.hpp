#pragma once
/// The JSON Schema of a described struct, from its field list (searchspaces/schema.hpp): keys,
/// types, defaults and descriptions. What a type alone cannot say (`when`, `parameters`) is put in
/// by name in json_schema.cpp.

#include "configs/read.hpp"
#include "searchspaces/schema.hpp"

namespace betatune {

template <class T>
Json schema_of();

namespace schema_detail {

template <class T>
struct DependentFalse : std::false_type {};

inline constexpr const char* kDurationPattern = "^[0-9]*\\.?[0-9]+(e[-+]?[0-9]+)? *(ms|s|m|h|d)$";
inline constexpr const char* kSizePattern =
    "^[0-9]*\\.?[0-9]+(e[-+]?[0-9]+)? *([kMGT]?B|[KMGT]iB)$";

/// A default as it is shown; null where it is not simple.
template <class T>
Json default_of(const T& value) {
  if constexpr (NamedEnum<T>) {
    return to_name(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return to_text(Value(value.seconds)) + "s";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.empty() ? Json() : Json(value);
  } else {
    return nullptr;
  }
}

template <Described T>
Json object_schema() {
  Json properties = Json::object();
  Json required = Json::array();
  Json order = Json::array();
  const T fresh{};
  const auto add = [&](const auto& field) {
    using M = typename std::decay_t<decltype(field)>::member_type;
    Json schema = schema_of<M>();
    schema["description"] = field.doc;
    if (field.required && !IsOptional<M>::value) {
      required.push_back(field.name);
    } else if (Json value = default_of(fresh.*field.at); !value.is_null()) {
      schema["default"] = std::move(value);
    }
    properties[field.name] = std::move(schema);
    order.push_back(field.name);
  };
  std::apply([&](const auto&... field) { (add(field), ...); }, T::fields());
  Json schema = {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = required;
  // JSON objects have no order; tables and editors want that of the field list.
  schema["x-order"] = order;
  return schema;
}

template <NamedEnum T>
Json enum_schema() {
  Json names = Json::array();
  for (const auto& each : enum_names(T{})) names.push_back(each.name);
  return {{"enum", names}};
}

}  // namespace schema_detail

/// A number, a word or true/false.
inline Json scalar_schema() {
  return {{"type", {"number", "string", "boolean"}}};
}

template <class T>
Json schema_of() {
  using namespace schema_detail;
  if constexpr (Described<T>) {
    return object_schema<T>();
  } else if constexpr (IsOptional<T>::value) {
    return schema_of<typename T::value_type>();
  } else if constexpr (IsVector<T>::value) {
    return {{"type", "array"}, {"items", schema_of<typename T::value_type>()}};
  } else if constexpr (IsMap<T>::value) {
    return {{"type", "object"}, {"additionalProperties", schema_of<typename T::mapped_type>()}};
  } else if constexpr (NamedEnum<T>) {
    return enum_schema<T>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return {{"type", "boolean"}};
  } else if constexpr (std::is_floating_point_v<T>) {
    return {{"type", "number"}};
  } else if constexpr (std::is_integral_v<T>) {
    Json schema = {{"type", "integer"}};
    if (std::is_unsigned_v<T>) schema["minimum"] = 0;
    return schema;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return {{"type", "string"}};
  } else if constexpr (std::is_same_v<T, Duration>) {
    return {{"type", "string"}, {"pattern", kDurationPattern}};
  } else if constexpr (std::is_same_v<T, ByteSize>) {
    return {{"type", "string"}, {"pattern", kSizePattern}};
  } else if constexpr (std::is_same_v<T, Value>) {
    return scalar_schema();
  } else if constexpr (std::is_same_v<T, Json>) {
    return {{"type", "object"}};
  } else if constexpr (std::is_same_v<T, ConfigNode>) {
    return Json::object();
  } else {
    static_assert(DependentFalse<T>::value, "schema_of: a type without a rule");
  }
}

}  // namespace betatune
