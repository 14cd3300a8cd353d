// docs/study-file.md against the program: its tables come from the field lists.
// BETATUNE_UPDATE_GOLDEN=1 writes them anew.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "configs/json_schema.hpp"
#include "configs/planned.hpp"
#include "configs/study_spec.hpp"
#include "tests/support/json_schema_tools.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

const fs::path kPage = fs::path(BETATUNE_SOURCE_DIR) / "docs/study-file.md";

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string code(const Json& json) {
  return "`" + (json.is_string() ? json.get<std::string>() : json.dump()) + "`";
}

std::string type_text(const Json& schema) {
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

std::string key_table(const Json& object) {
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

std::string planned_table() {
  std::string text = "| key | what it will be | now |\n| --- | --- | --- |\n";
  for (const PlannedKey& key : planned_keys()) {
    text += "| `" + std::string(key.path) + "` | " + std::string(key.what) + " | " +
            std::string(key.help) + " |\n";
  }
  return text;
}

// The page with each block between `<!-- opening -->` and `<!-- end -->` made anew.
std::string regenerate(const std::string& page, std::set<std::string>& seen) {
  std::map<std::string, std::string> blocks = {{"planned", planned_table()}};
  for (const support::DescribedObject& object : support::described_objects(study_schema())) {
    blocks["keys: " + object.path] = key_table(object.schema);
  }
  std::istringstream lines(page);
  std::string out;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "<!-- end -->") inside = false;
    if (!inside) out += line + "\n";
    if (!line.starts_with("<!-- ") || line == "<!-- end -->") continue;
    std::string name = line.substr(5, line.size() - 9);
    if (name == "keys:") name = "keys: ";
    EXPECT_TRUE(blocks.contains(name)) << "no such table: " << name;
    seen.insert(name);
    out += blocks[name];
    inside = true;
  }
  for (const auto& [name, block] : blocks)
    EXPECT_TRUE(seen.contains(name)) << "undocumented: " << name;
  return out;
}

TEST(StudyFilePage, HasEveryKeyAsTheProgramReadsIt) {
  const std::string page = contents(kPage);
  std::set<std::string> seen;

  const std::string wanted = regenerate(page, seen);

  if (std::getenv("BETATUNE_UPDATE_GOLDEN") != nullptr) std::ofstream(kPage) << wanted;
  EXPECT_EQ(page, wanted) << "BETATUNE_UPDATE_GOLDEN=1 tests/golden_configs writes the tables";
}

std::set<std::string> codes_in(const std::string& text, const std::regex& pattern) {
  std::set<std::string> codes;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    codes.insert((*it)[1]);
  }
  return codes;
}

TEST(StudyFilePage, ExplainsEveryErrorCode) {
  std::string sources;
  for (const auto& entry : fs::directory_iterator(fs::path(BETATUNE_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() == ".cpp") sources += contents(entry.path());
  }

  EXPECT_EQ(codes_in(sources, std::regex("\"(E[0-9]{4})\"")),
            codes_in(contents(kPage), std::regex("\\| `(E[0-9]{4})` \\|")));
}

TEST(StudyFilePage, ShowsAStudyThatIsAccepted) {
  const std::string page = contents(kPage);
  const std::size_t begin = page.find("```yaml\n") + 8;
  Diagnostics diagnostics;
  const ConfigNode node = ConfigNode::parse(page.substr(begin, page.find("```\n", begin) - begin),
                                            "docs/study-file.md", diagnostics);

  read_study(node, ".", diagnostics);

  EXPECT_TRUE(diagnostics.ok()) << diagnostics.render(false);
}

}  // namespace
}  // namespace betatune
