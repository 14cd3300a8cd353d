#include "configs/json_schema.hpp"

#include "configs/study_file.hpp"

namespace betatune {
namespace {

using schema_detail::IsMap;
using schema_detail::IsOptional;
using schema_detail::IsVector;

template <class T>
struct DependentFalse : std::false_type {};

constexpr const char* kDurationPattern = "^[0-9]*\\.?[0-9]+(e[-+]?[0-9]+)? *(ms|s|m|h|d)$";

Json scalar_schema() {
  return {{"type", {"number", "string", "boolean"}}};
}

// The schema of a type by itself; what the type alone cannot say (`when`, `parameters`) is put in
// by name below.
template <class T>
Json schema_of();

// Default values are shown where they are simple.
template <class T>
Json default_of(const T& value) {
  if constexpr (NamedEnum<T>) {
    return to_name(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return to_text(Value(value.seconds)) + "s";
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else {
    return nullptr;
  }
}

template <class T>
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
    } else if (Json value = default_of(fresh.*field.at); !value.is_null() && value != "") {
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

template <class T>
Json schema_of() {
  if constexpr (Described<T>) {
    return object_schema<T>();
  } else if constexpr (IsOptional<T>::value) {
    return schema_of<typename T::value_type>();
  } else if constexpr (IsVector<T>::value) {
    return {{"type", "array"}, {"items", schema_of<typename T::value_type>()}};
  } else if constexpr (IsMap<T>::value) {
    return {{"type", "object"}, {"additionalProperties", schema_of<typename T::mapped_type>()}};
  } else if constexpr (NamedEnum<T>) {
    Json names = Json::array();
    for (const auto& each : enum_names(T{})) names.push_back(each.name);
    return {{"enum", names}};
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
  } else if constexpr (std::is_same_v<T, Value>) {
    return scalar_schema();
  } else if constexpr (std::is_same_v<T, Json>) {
    return {{"type", "object"}};
  } else if constexpr (std::is_same_v<T, ConfigNode>) {
    return Json::object();
  } else {
    static_assert(DependentFalse<T>::value, "json_schema: a type without a rule");
  }
}

Json any_of(std::initializer_list<Json> choices) {
  return {{"anyOf", Json(choices)}};
}

// A schema in the place of another, which keeps its description.
void replace(Json& place, Json schema) {
  schema["description"] = place["description"];
  place = std::move(schema);
}

Json when_schema() {
  const Json values = {{"type", "array"}, {"items", scalar_schema()}, {"minItems", 1}};
  return any_of({{{"type", "string"}},
                 {{"type", "object"},
                  {"minProperties", 1},
                  {"additionalProperties", any_of({scalar_schema(), values})}}});
}

template <class Fields>
Json parameter_schema(const char* title, const Json& type) {
  Json schema = object_schema<Fields>();
  Json& properties = schema["properties"];
  schema["title"] = title;
  replace(properties["when"], when_schema());
  if (!type.is_null()) replace(properties["type"], type);
  if (properties.contains("derived")) {
    replace(properties["derived"], {{"type", {"string", "number"}}});
  }
  return schema;
}

Json parameters_schema() {
  const Json file = {{"type", "string"}};
  const Json include = any_of({file, {{"type", "array"}, {"items", file}}});
  return {{"type", "object"},
          {"properties", {{"include", include}}},
          {"additionalProperties",
           any_of({parameter_schema<RealFields>("float", {{"const", "float"}}),
                   parameter_schema<IntegerFields>("int", {{"const", "int"}}),
                   parameter_schema<ChoiceFields>("choice", {{"enum", {"ordinal", "categorical"}}}),
                   parameter_schema<ConstantFields>("constant", nullptr),
                   parameter_schema<DerivedFields>("derived", nullptr)})}};
}

// A name, or a mapping whose other keys are options of what it names.
Json policy_schema(Json fields) {
  fields["additionalProperties"] = true;
  return any_of({{{"type", "string"}}, std::move(fields)});
}

Json algorithm_schema() {
  Json algorithm = object_schema<AlgorithmFields>();
  Json& properties = algorithm["properties"];
  replace(properties["scheduler"], policy_schema(object_schema<SchedulerFields>()));
  Json& initial = properties["initial"]["properties"];
  replace(initial["design"], {{"enum", {"sobol", "random"}}, {"default", "sobol"}});
  replace(initial["points"],
          {{"type", "array"},
           {"items", {{"type", "object"}, {"additionalProperties", scalar_schema()}}}});
  return policy_schema(std::move(algorithm));
}

}  // namespace

Json study_schema() {
  Json schema = object_schema<StudyFile>();
  Json& properties = schema["properties"];
  replace(properties["version"], {{"const", 1}});
  replace(properties["parameters"], parameters_schema());
  const Json expression = {{"type", "string"}};
  replace(properties["constraints"],
          any_of({expression, {{"type", "array"}, {"items", expression}}}));
  replace(properties["algorithm"], algorithm_schema());
  properties["objectives"]["minItems"] = 1;
  properties["objectives"]["maxItems"] = 1;
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Betatune study file";
  return schema;
}

}  // namespace betatune
