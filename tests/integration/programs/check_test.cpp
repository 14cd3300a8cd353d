// `betatune check` and `betatune schema` as a user starts them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "searchspaces/value.hpp"
#include "tests/support/json_schema_tools.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/user_shell.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;
using support::Ended;
using testing::HasSubstr;

/// What it says goes to `out`, behind its data.
Ended betatune(const fs::path& folder, const std::string& arguments) {
  return support::type(folder, "betatune " + arguments + " 2>&1");
}

std::string study(const std::string& more) {
  return "version: 1\nstudy: {name: demo, seed: 1}\nstopping: {trials: 5}\n"
         "trainer: {plugin: demo}\nparameters:\n"
         "  opt: {type: categorical, values: [a, b]}\n"
         "  lr: {type: float, min: 1e-5, max: 0.1, scale: log}\n"
         "  m: {type: int, min: 1, max: 9, when: {opt: a}}\n" +
         more;
}

class CheckCommand : public testing::Test {
 protected:
  Ended check(const std::string& yaml, const std::string& options = "") {
    std::ofstream(folder_ / "study.yaml") << yaml;
    return betatune(folder_.path(), "check study.yaml " + options);
  }
  support::TemporaryDirectory folder_;
};

TEST_F(CheckCommand, ShowsTheStudyAndThreeDraws) {
  const Ended ended = check(study("constraints: [\"lr * m <= 0.5\"]\n"));

  EXPECT_EQ(ended.status, 0);
  EXPECT_THAT(ended.out, HasSubstr("study.yaml: no problems\n"));
  EXPECT_THAT(ended.out, HasSubstr("  lr         float        1e-5 to 0.1  log\n"));
  EXPECT_THAT(ended.out, HasSubstr("  budget     5 trials\n"));
  EXPECT_THAT(ended.out, HasSubstr("    lr * m <= 0.5\n"));
  const std::size_t at = ended.out.find("three draws from the space\n");
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(std::count(ended.out.begin() + static_cast<std::ptrdiff_t>(at), ended.out.end(), '\n'),
            4);
}

TEST_F(CheckCommand, LeavesNothingBehind) {
  check(study(""));

  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    files.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(files, testing::ElementsAre("study.yaml"));
}

TEST_F(CheckCommand, EndsWithThreeAndAllProblems) {
  const Ended ended = check(study("colour: red\ntrials: {parallel: 0}\n"));

  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.out, HasSubstr("error[E0102]: unknown key `colour`\n"));
  EXPECT_THAT(ended.out, HasSubstr("error[E0105]: `trials.parallel` must be 1 or more, found 0\n"));
  EXPECT_THAT(ended.out, HasSubstr("study.yaml: 2 problems\n"));
  EXPECT_EQ(ended.out.find('\033'), std::string::npos);
}

TEST_F(CheckCommand, AsksTheMakersOfPolicies) {
  const Ended wrong = check(study("algorithm: {name: random, speed: 3}\n"));
  const Ended unknown =
      check(study("algorithm: {scheduler: {name: ahsa}}\nlauncher: {name: loca}\n"));

  EXPECT_EQ(wrong.status, 3);
  EXPECT_THAT(wrong.out, HasSubstr("unknown key `speed`"));
  EXPECT_EQ(unknown.status, 3);
  EXPECT_THAT(unknown.out, HasSubstr("did you mean `asha`?"));
  EXPECT_THAT(unknown.out, HasSubstr("study.yaml:9:31"));
  EXPECT_THAT(unknown.out, HasSubstr("did you mean `local`?"));
}

TEST_F(CheckCommand, SpeaksJson) {
  const Json good = Json::parse(check(study(""), "--json").out);
  const Json bad = Json::parse(check(study("colour: red\n"), "--json").out);

  EXPECT_EQ(good["schema"], "betatune.check/1");
  EXPECT_EQ(good["ok"], true);
  EXPECT_EQ(good["draws"].size(), 3u);
  EXPECT_EQ(good["parameters"][1]["name"], "lr");
  EXPECT_EQ(bad["ok"], false);
  EXPECT_EQ(bad["problems"][0]["code"], "E0102");
  EXPECT_EQ(bad["problems"][0]["line"], 9);
}

TEST_F(CheckCommand, TakesAStudyThatHasNotStartedByItsFileOnly) {
  fs::create_directories(folder_ / "runs/demo");

  const Ended ended = betatune(folder_.path(), "check demo");

  EXPECT_EQ(ended.status, 5);
  EXPECT_THAT(ended.out, HasSubstr("has not been started"));
}

TEST_F(CheckCommand, ShowsWhatTheLogOfAStartedStudyRecorded) {
  const std::string yaml = study("");
  std::ofstream(folder_ / "study.yaml")
      << yaml.substr(0, yaml.find("{plugin: demo}")) << "{external: true}\n"
      << yaml.substr(yaml.find("parameters:"));
  std::ofstream(folder_ / "talk.jsonl") << "{\"ask\": 1}\n{\"close\": 1}\n";
  ASSERT_EQ(betatune(folder_.path(), "ask-tell study.yaml < talk.jsonl").status, 0);
  const Ended before = betatune(folder_.path(), "check study.yaml --json");
  fs::remove(folder_ / "study.yaml");

  const Ended by_name = betatune(folder_.path(), "check demo --json");

  EXPECT_EQ(by_name.status, 0);
  EXPECT_EQ(by_name.out, before.out);
}

TEST_F(CheckCommand, IsUsedWrong) {
  EXPECT_EQ(betatune(folder_.path(), "check").status, 2);
  EXPECT_EQ(betatune(folder_.path(), "check a.yaml --jsno").status, 2);
  EXPECT_EQ(betatune(folder_.path(), "check missing.yaml").status, 3);
}

TEST(SchemaCommand, PrintsASchemaWithTheNamesOfPolicies) {
  const support::TemporaryDirectory folder;
  const Ended ended = betatune(folder.path(), "schema");

  ASSERT_EQ(ended.status, 0);
  const Json schema = Json::parse(ended.out);
  const Json study = {{"version", 1},
                      {"study", {{"name", "a"}}},
                      {"parameters", Json::object()},
                      {"trainer", {{"external", true}}}};
  EXPECT_THAT(support::schema_problems(study, schema), testing::IsEmpty());
  EXPECT_THAT(support::schema_problems(Json::object(), schema), testing::Not(testing::IsEmpty()));
  const Json names =
      schema["properties"]["algorithm"]["anyOf"][1]["properties"]["name"]["examples"];
  EXPECT_NE(std::find(names.begin(), names.end(), "random"), names.end());
}

}  // namespace
}  // namespace betatune
