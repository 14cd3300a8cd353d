#pragma once
/// A light reader of JSON Schemas: enough of draft 2020-12 for what full_study_schema() uses.

#include <algorithm>
#include <iterator>
#include <regex>
#include <string>
#include <vector>

#include "searchspaces/value.hpp"

namespace betatune::support {

inline bool has_type(const Json& json, const std::string& type) {
  if (type == "object") return json.is_object();
  if (type == "array") return json.is_array();
  if (type == "string") return json.is_string();
  if (type == "boolean") return json.is_boolean();
  if (type == "integer") return json.is_number_integer();
  if (type == "number") return json.is_number();
  return type == "null" && json.is_null();
}

/// What is wrong, beginning with the JSON pointer of the place; empty if all is well.
inline std::vector<std::string> schema_problems(const Json& json, const Json& schema,
                                                const std::string& at = "") {
  std::vector<std::string> problems;
  const auto wrong = [&](const std::string& what) { problems.push_back(at + ": " + what); };
  if (schema.contains("type")) {
    const Json types = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    const bool any = std::any_of(types.begin(), types.end(), [&](const Json& type) {
      return has_type(json, type.get<std::string>());
    });
    if (!any) wrong("is not " + types.dump());
  }
  if (schema.contains("const") && json != schema["const"])
    wrong("is not " + schema["const"].dump());
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), json) == schema["enum"].end()) {
    wrong("is not one of " + schema["enum"].dump());
  }
  if (schema.contains("pattern") && json.is_string() &&
      !std::regex_search(json.get<std::string>(),
                         std::regex(schema["pattern"].get<std::string>()))) {
    wrong("does not match the pattern");
  }
  if (schema.contains("anyOf")) {
    const bool any =
        std::any_of(schema["anyOf"].begin(), schema["anyOf"].end(),
                    [&](const Json& each) { return schema_problems(json, each, at).empty(); });
    if (!any) wrong("is none of the forms");
  }
  for (const Json& each : schema.value("allOf", Json::array())) {
    std::ranges::move(schema_problems(json, each, at), std::back_inserter(problems));
  }
  if (schema.contains("if") && schema_problems(json, schema["if"], at).empty()) {
    std::ranges::move(schema_problems(json, schema["then"], at), std::back_inserter(problems));
  }
  const auto deeper = [&](const Json& inner, const Json& inner_schema, const std::string& place) {
    for (std::string& each : schema_problems(inner, inner_schema, place)) {
      problems.push_back(std::move(each));
    }
  };
  if (json.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < json.size(); ++i) {
      deeper(json[i], schema["items"], at + "/" + std::to_string(i));
    }
  }
  if (!json.is_object()) return problems;
  for (const Json& key : schema.value("required", Json::array())) {
    if (!json.contains(key.get<std::string>())) wrong("lacks " + key.dump());
  }
  for (const auto& [key, value] : json.items()) {
    const Json& more =
        schema.contains("additionalProperties") ? schema["additionalProperties"] : Json();
    if (schema.contains("properties") && schema["properties"].contains(key)) {
      deeper(value, schema["properties"][key], at + "/" + key);
    } else if (more.is_object()) {
      deeper(value, more, at + "/" + key);
    } else if (more.is_boolean() && !more.get<bool>()) {
      wrong("has no key `" + key + "`");
    }
  }
  return problems;
}

/// A mapping of the study file with a fixed list of keys, by its path ("trials.retry",
/// "parameters.*:float").
struct DescribedObject {
  std::string path;
  Json schema;
};

inline void find_described(const Json& schema, const std::string& path,
                           std::vector<DescribedObject>& found) {
  if (schema.contains("anyOf")) {
    for (const Json& each : schema["anyOf"]) {
      find_described(each,
                     each.contains("title") ? path + ":" + each["title"].get<std::string>() : path,
                     found);
    }
  }
  if (schema.contains("items")) find_described(schema["items"], path + "[0]", found);
  const bool known =
      std::any_of(found.begin(), found.end(), [&](const auto& each) { return each.path == path; });
  if (schema.contains("x-order") && !known) found.push_back({path, schema});
  if (schema.contains("properties")) {
    // What several kinds of parameter share stands once: "parameters.*.prior".
    const std::string owner = path.substr(0, path.find(':'));
    for (const auto& [key, value] : schema["properties"].items()) {
      find_described(value, owner.empty() ? key : owner + "." + key, found);
    }
  }
  if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
    find_described(schema["additionalProperties"], path + ".*", found);
  }
}

inline std::vector<DescribedObject> described_objects(const Json& schema) {
  std::vector<DescribedObject> found;
  find_described(schema, "", found);
  return found;
}

}  // namespace betatune::support
