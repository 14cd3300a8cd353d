#include "configs/json_schema.hpp"

#include <optional>

#include "configs/field_schema.hpp"
#include "configs/study_file.hpp"
#include "configs/study_reader.hpp"

namespace betatune {
namespace {

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
  Json schema = schema_of<Fields>();
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
  Json algorithm = schema_of<AlgorithmFields>();
  Json& properties = algorithm["properties"];
  replace(properties["scheduler"], policy_schema(schema_of<SchedulerFields>()));
  Json& initial = properties["initial"]["properties"];
  replace(initial["design"], {{"enum", {"sobol", "random"}}, {"default", "sobol"}});
  replace(initial["points"],
          {{"type", "array"},
           {"items", {{"type", "object"}, {"additionalProperties", scalar_schema()}}}});
  replace(properties["transfer"]["properties"]["studies"],
          {{"type", "array"}, {"items", {{"type", "string"}}}, {"minItems", 1}});
  return policy_schema(std::move(algorithm));
}

/// A number, or choices of it; `fallback` of the number, if there is one.
Json count_schema(int least, std::optional<int> fallback) {
  Json widths = schema_of<WidthFields>();
  widths["properties"]["choices"]["minItems"] = 2;
  widths["properties"]["choices"]["items"]["minimum"] = 1;
  widths["properties"]["choices"]["uniqueItems"] = true;
  Json schema = any_of({{{"type", "integer"}, {"minimum", least}}, std::move(widths)});
  if (fallback) schema["default"] = *fallback;
  return schema;
}

}  // namespace

Json study_schema() {
  Json schema = schema_of<StudyFile>();
  Json& properties = schema["properties"];
  replace(properties["version"], {{"const", 1}});
  replace(properties["parameters"], parameters_schema());
  const Json expression = {{"type", "string"}};
  replace(properties["constraints"],
          any_of({expression, {{"type", "array"}, {"items", expression}}}));
  replace(properties["outcome_constraints"],
          any_of({expression, {{"type", "array"}, {"items", expression}}}));
  replace(properties["algorithm"], algorithm_schema());
  Json& resources = properties["resources"]["properties"];
  replace(resources["gpus"], count_schema(0, 0));
  replace(resources["ranks"], count_schema(1, std::nullopt));
  replace(resources["nodes"], {{"const", 1}, {"default", 1}});
  properties["objectives"]["minItems"] = 1;
  properties["objectives"]["maxItems"] = kMostObjectives;
  schema["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  schema["title"] = "Betatune study file";
  return schema;
}

}  // namespace betatune
