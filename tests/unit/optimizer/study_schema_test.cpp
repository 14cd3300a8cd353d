#include "optimizer/study_schema.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "optimizer/scheduler.hpp"
#include "tests/support/json_schema_tools.hpp"

namespace betatune {
namespace {

using support::schema_problems;
using testing::IsEmpty;
using testing::Not;

Json study_with(const Json& algorithm) {
  Json study = Json::parse(R"({"version": 1, "study": {"name": "demo"}, "stopping": {"trials": 3},
    "fidelity": {"max": 9}, "trainer": {"external": true},
    "parameters": {"x": {"type": "float", "min": 0, "max": 1}}})");
  study["algorithm"] = algorithm;
  return study;
}

std::vector<std::string> algorithm_problems(const Json& algorithm) {
  return schema_problems(study_with(algorithm), full_study_schema());
}

/// Whether the program itself takes it.
bool is_read(const Json& algorithm) {
  Diagnostics diagnostics;
  const StudySpec spec =
      read_study(ConfigNode::from_json(study_with(algorithm), "made.yaml"), ".", diagnostics);
  return make_searcher(spec, diagnostics) && make_scheduler(spec, diagnostics) && diagnostics.ok();
}

// As `algorithm:` the mapping itself, or with it as its scheduler.
template <class Registry>
Json algorithm_of(const Json& mapping) {
  return std::is_same_v<Registry, SchedulerRegistry> ? Json{{"scheduler", mapping}} : mapping;
}

template <class Registry>
class FullStudySchema : public testing::Test {};
using Registries = testing::Types<SearcherRegistry, SchedulerRegistry>;
TYPED_TEST_SUITE(FullStudySchema, Registries);

TYPED_TEST(FullStudySchema, DescribesEveryOptionOfEveryName) {
  for (const auto& [name, summary] : TypeParam::list()) {
    const Json options = TypeParam::find(name)->options_schema();
    for (const auto& [key, schema] : options["properties"].items()) {
      EXPECT_NE(schema.value("description", ""), "") << name << "." << key;
    }
  }
}

TYPED_TEST(FullStudySchema, TakesTheDefaultsOfEveryName) {
  for (const auto& [name, summary] : TypeParam::list()) {
    Json mapping = {{"name", name}};
    const Json options = TypeParam::find(name)->options_schema();
    for (const auto& [key, schema] : options["properties"].items()) {
      if (schema.contains("default")) mapping[key] = schema["default"];
    }
    const Json algorithm = algorithm_of<TypeParam>(mapping);

    EXPECT_THAT(algorithm_problems(algorithm), IsEmpty()) << algorithm;
    EXPECT_TRUE(is_read(algorithm)) << algorithm;
  }
}

TYPED_TEST(FullStudySchema, RefusesAnOptionThatANameDoesNotHave) {
  for (const auto& [name, summary] : TypeParam::list()) {
    const Json algorithm = algorithm_of<TypeParam>({{"name", name}, {"no_such_option", 1}});

    EXPECT_THAT(algorithm_problems(algorithm), Not(IsEmpty())) << name;
    EXPECT_FALSE(is_read(algorithm)) << name;
  }
}

TEST(FullStudySchemaOf, KnowsTheOptionsOfEachNameAlone) {
  const auto accepted = [](const char* text) {
    const Json algorithm = Json::parse(text);
    const bool fine = algorithm_problems(algorithm).empty();
    EXPECT_EQ(fine, is_read(algorithm)) << text;
    return fine;
  };

  EXPECT_TRUE(accepted(R"("grid")"));
  EXPECT_TRUE(accepted(R"({"name": "grid", "points": 3, "points_of": {"x": 2}})"));
  EXPECT_FALSE(accepted(R"({"name": "grid", "points": "three"})"));
  EXPECT_FALSE(accepted(R"({"name": "grid", "raw_points": 64})"));
  EXPECT_FALSE(accepted(R"({"name": "sobol", "points": 3})"));
  EXPECT_TRUE(accepted(R"({"name": "gp", "raw_points": 64, "initial": {"count": 3}})"));
  EXPECT_TRUE(accepted(R"({"scheduler": {"name": "asha", "mode": "stop", "eta": 4}})"));
  EXPECT_FALSE(accepted(R"({"scheduler": {"name": "asha", "mode": "halt"}})"));
  EXPECT_FALSE(accepted(R"({"scheduler": {"name": "hyperband", "finish": true}})"));
}

TEST(FullStudySchemaOf, TakesAutoAndNoNameForWhatTheyMean) {
  EXPECT_THAT(algorithm_problems({{"raw_points", 64}}), IsEmpty());
  EXPECT_THAT(algorithm_problems({{"name", "auto"}, {"raw_points", 64}}), IsEmpty());
  EXPECT_THAT(algorithm_problems({{"name", "auto"}, {"points", 3}}), Not(IsEmpty()));
  EXPECT_THAT(algorithm_problems({{"scheduler", {{"eta", 4}}}}), IsEmpty());
  EXPECT_THAT(algorithm_problems({{"scheduler", {{"trials", 4}}}}), Not(IsEmpty()));
}

TEST(FullStudySchemaOf, LetsNamesOfOtherVersionsThrough) {
  EXPECT_THAT(algorithm_problems({{"name", "of-tomorrow"}, {"speed", 3}}), IsEmpty());
}

}  // namespace
}  // namespace betatune
