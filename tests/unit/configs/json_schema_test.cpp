#include "configs/json_schema.hpp"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "configs/study_spec.hpp"
#include "tests/support/json_schema_tools.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::described_objects;
using support::DescribedObject;
using support::schema_problems;
using testing::IsEmpty;

Json base_study() {
  return Json::parse(R"({"version": 1, "study": {"name": "demo"}, "stopping": {"trials": 3},
    "trainer": {"plugin": "demo"}, "parameters": {"x": {"value": 1}}})");
}

// The value that stands at a path of described_objects, and where in a document it belongs.
Json* place(Json& document, const std::string& path) {
  const std::size_t colon = path.find(':');
  if (colon == std::string::npos && path.empty()) return &document;
  std::string at = path.substr(0, colon);
  const std::string kind = colon == std::string::npos ? "" : path.substr(colon + 1);
  Json* json = &document;
  while (!at.empty()) {
    std::string name = at.substr(0, at.find('.'));
    at = at.size() == name.size() ? "" : at.substr(name.size() + 1);
    const bool first = name.ends_with("[0]");
    if (first) name.resize(name.size() - 3);
    json = &(*json)[name == "*" ? "x" : name];
    if (name == "*" && !at.empty()) *json = {{"type", "float"}, {"min", 1}, {"max", 2}};
    if (first) json = &(json->is_array() ? * json : * json = Json::array({Json::object()}))[0];
  }
  if (kind == "float" || kind == "int") *json = {{"type", kind}, {"min", 1}, {"max", 2}};
  if (kind == "choice") *json = {{"type", "ordinal"}, {"values", {1, 2}}};
  if (kind == "constant") *json = {{"value", 1}};
  if (kind == "derived") *json = {{"derived", "1 + 1"}};
  if (json->is_null()) *json = Json::object();
  return json;
}

bool calls_unknown(const Json& document, const std::string& key) {
  Diagnostics diagnostics;
  read_study(ConfigNode::from_json(document, "made.yaml"), ".", diagnostics);
  for (const Diagnostic& each : diagnostics.problems()) {
    if (each.code == "E0102" && each.message == "unknown key `" + key + "`") return true;
  }
  return false;
}

TEST(StudySchema, HasTheKeysThatTheReaderHas) {
  const std::vector<DescribedObject> objects = described_objects(study_schema());
  ASSERT_GE(objects.size(), 20u);
  for (const DescribedObject& object : objects) {
    SCOPED_TRACE(object.path);
    for (const Json& key : object.schema["x-order"]) {
      Json document = base_study();
      Json& here = *place(document, object.path);
      here[key.get<std::string>()] = nullptr;
      EXPECT_FALSE(calls_unknown(document, key.get<std::string>())) << key;
    }
    if (object.schema["additionalProperties"] == true) continue;  // a policy's options
    Json document = base_study();
    (*place(document, object.path))["no_such_key"] = 1;
    EXPECT_TRUE(calls_unknown(document, "no_such_key"));
  }
}

TEST(StudySchema, AcceptsTheReadyStudies) {
  for (const auto& entry : fs::directory_iterator(BETATUNE_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    Diagnostics diagnostics;
    const ConfigNode node = ConfigNode::load(entry.path(), diagnostics);
    EXPECT_THAT(schema_problems(node.to_json(), study_schema()), IsEmpty()) << entry.path();
  }
}

TEST(StudySchema, RefusesWhatTheReaderRefuses) {
  const auto refused = [](const char* patch) {
    Json study = base_study();
    study.merge_patch(Json::parse(patch));
    Diagnostics diagnostics;
    read_study(ConfigNode::from_json(study, "made.yaml"), ".", diagnostics);
    return !schema_problems(study, study_schema()).empty() && !diagnostics.ok();
  };

  EXPECT_THAT(schema_problems(base_study(), study_schema()), IsEmpty());
  EXPECT_TRUE(refused(R"({"version": 2})"));
  EXPECT_TRUE(refused(R"({"trainer": null})"));
  EXPECT_TRUE(refused(R"({"colour": "red"})"));
  EXPECT_TRUE(refused(R"({"study": {"name": 3}})"));
  EXPECT_TRUE(refused(R"({"stopping": {"wall_time": 30}})"));
  EXPECT_TRUE(refused(R"({"stopping": {"wall_time": "30"}})"));
  EXPECT_TRUE(refused(R"({"parameters": {"x": {"type": "float", "value": null, "min": 1}}})"));
  EXPECT_TRUE(refused(R"({"parameters": {"x": {"value": 1, "scal": "log"}}})"));
  EXPECT_TRUE(refused(R"({"objective": {"metric": "loss", "goal": "minimise"}})"));
  EXPECT_TRUE(refused(R"({"algorithm": {"initial": {"design": "sobl"}}})"));
}

TEST(StudySchema, NamesItsDraftAndDescribesEveryKey) {
  const Json schema = study_schema();

  EXPECT_EQ(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
  for (const DescribedObject& object : described_objects(schema)) {
    for (const auto& [key, value] : object.schema["properties"].items()) {
      EXPECT_NE(value.value("description", ""), "") << object.path << "." << key;
    }
  }
}

}  // namespace
}  // namespace betatune
