#pragma once
/// Pages of docs/ whose tables come from the program: each stands between `<!-- its name -->` and
/// `<!-- end -->`.

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "searchspaces/value.hpp"
#include "tests/support/file_text.hpp"

namespace betatune::support {

inline std::string code(const Json& json) {
  return "`" + (json.is_string() ? json.get<std::string>() : json.dump()) + "`";
}

inline std::string type_text(const Json& schema) {
  if (schema.contains("const")) return code(schema["const"]);
  if (schema.contains("enum")) {
    std::string text;
    for (const Json& each : schema["enum"]) text += (text.empty() ? "" : ", ") + code(each);
    return text;
  }
  if (schema.contains("anyOf")) {
    std::string text;
    for (const Json& each : schema["anyOf"]) {
      const std::string one = type_text(each);
      if (text.find(one) == std::string::npos) text += (text.empty() ? "" : " or ") + one;
    }
    return text;
  }
  if (schema.contains("pattern")) return "duration";
  const Json& type = schema.contains("type") ? schema["type"] : Json("anything");
  if (type.is_array()) return type.size() == 3 ? "number, word, true/false" : "expression";
  if (type == "array") return "sequence of " + type_text(schema["items"]);
  if (type == "object") return "mapping";
  return type == "boolean" ? "true/false" : type.get<std::string>();
}

inline std::string key_table(const Json& object) {
  const Json required = object.value("required", Json::array());
  std::string text = "| key | type | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const Json& name : object["x-order"]) {
    const Json& schema = object["properties"][name.get<std::string>()];
    const bool needed = std::find(required.begin(), required.end(), name) != required.end();
    const std::string otherwise = schema.contains("default") ? code(schema["default"]) : "";
    text += "| " + code(name) + " | " + type_text(schema) + " | " +
            (needed ? "required" : otherwise) + " | " + schema.value("description", "") + " |\n";
  }
  return std::regex_replace(text, std::regex("  +\\|"), " |");
}

/// The page with every block made anew; blocks and places must match one to one.
inline std::string with_blocks(const std::string& page,
                               const std::map<std::string, std::string>& blocks) {
  std::istringstream lines(page);
  std::set<std::string> seen;
  std::string out;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "<!-- end -->") inside = false;
    if (!inside) out += line + "\n";
    if (!line.starts_with("<!-- ") || line == "<!-- end -->") continue;
    const std::string name = line.substr(5, line.size() - 9);
    EXPECT_TRUE(blocks.contains(name)) << "no such table: " << name;
    if (blocks.contains(name)) out += blocks.at(name);
    seen.insert(name);
    inside = true;
  }
  for (const auto& [name, block] : blocks) {
    EXPECT_TRUE(seen.contains(name)) << "undocumented: " << name;
  }
  return out;
}

}  // namespace betatune::support
