/// `--json`: whatever a reading command prints then is one JSON document on stdout that names its
/// schema, and all talk is on stderr.

#include <fstream>
#include <gmock/gmock.h>
#include <sstream>

#include "tests/support/user_study.hpp"

namespace betatune {
namespace {

using support::Ended;
using testing::HasSubstr;
using testing::StartsWith;

using JsonOutput = support::UserStudy;

TEST_F(JsonOutput, OfEveryReadingCommandNamesItsSchema) {
  write(5, support::kReports);
  ASSERT_EQ(type("betatune run study.yaml").status, 0);
  const std::vector<std::pair<std::string, std::string>> commands{
      {"check study.yaml", "betatune.check/1"},
      {"check demo", "betatune.check/1"},
      {"status study.yaml", "betatune.status/1"},
      {"trials study.yaml", "betatune.trials/1"},
      {"show study.yaml 0", "betatune.show/1"},
      {"best study.yaml", "betatune.best/1"},
      {"replay study.yaml", "betatune.replay/1"},
      {"explain study.yaml 0", "betatune.explain/1"},
      {"importance study.yaml", "betatune.importance/1"},
      {"cost study.yaml", "betatune.cost/1"},
      {"enqueue study.yaml -p x=0.5", "betatune.enqueue/1"},
      {"version", "betatune.version/1"},
      {"plugin list", "betatune.plugins/1"},
      {"plugin check branin", "betatune.plugin/1"}};

  for (const auto& [command, schema] : commands) {
    const Json document = json("betatune " + command + " --json");
    EXPECT_EQ(document.value("schema", ""), schema) << command;
  }
}

TEST_F(JsonOutput, OfAReplayUnderOtherSchedulersHasARowForEach) {
  std::ofstream(folder_ / "study.yaml")
      << "version: 1\nstudy: {name: demo, seed: 4}\nobjective: {metric: loss}\n"
         "parameters: {x: {type: float, min: -5, max: 10}, y: {type: float, min: 0, max: 15}}\n"
         "fidelity: {max: 9}\nalgorithm: {name: random, scheduler: fifo}\n"
         "stopping: {trials: 6}\nlauncher: {trainers: 1}\n"
         "trainer: {plugin: branin, config: {steps: 9}}\n";
  ASSERT_EQ(type("betatune run study.yaml").status, 0);

  const Json document =
      json("betatune simulate --from demo --workers 2 --scheduler fifo --scheduler asha --json");

  EXPECT_EQ(document.at("schema"), "betatune.what_if/1");
  EXPECT_EQ(document.at("trials"), 6);
  const Json& fifo = document.at("schedulers").at(0);
  EXPECT_EQ(fifo.at("steps"), 54);
  EXPECT_EQ(fifo.at("beyond"), 0);
  EXPECT_LT(document.at("schedulers").at(1).at("steps"), 54);
  const Json cost = json("betatune cost demo --by trial --json");
  EXPECT_EQ(cost.at("total").at("steps"), 54);
  EXPECT_EQ(cost.at("groups").size(), 6u);

  const Ended wrong = type("betatune simulate --from demo --scheduler ashe");
  EXPECT_EQ(wrong.status, 2);
  EXPECT_EQ(wrong.err, "error: unknown scheduler `ashe`; did you mean `asha`?\n");
  EXPECT_EQ(type("betatune simulate --from demo --workers 0").status, 2);
  EXPECT_EQ(type("betatune simulate --workers 2").status, 2);
  EXPECT_EQ(type("betatune cost demo --by color").status, 2);
}

TEST_F(JsonOutput, OfSimulatedWidthsHasARowForEachAndOneForTheChoice) {
  const std::string command =
      "betatune simulate --widths 1,2,4 --workers 4 --seeds 3 --trials 27 --steps 9 ";

  const Json document = json(command + "--serial 0.1 --json");

  EXPECT_EQ(document.at("schema"), "betatune.simulate_widths/1");
  EXPECT_EQ(document.at("studies"), 3);
  const Json& rows = document.at("rows");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows.at(0).at("widths"), "always 1");
  EXPECT_EQ(rows.at(3).at("widths"), "scale-with-rung");
  EXPECT_LT(rows.at(0).at("slot_seconds"), rows.at(2).at("slot_seconds"));
  EXPECT_LT(rows.at(3).at("seconds"), rows.at(0).at("seconds"));
  EXPECT_EQ(json(command + "--serial 0.1 --json"), document);

  EXPECT_EQ(type("betatune simulate --widths 2,1 --workers 4").status, 2);
  EXPECT_EQ(type("betatune simulate --widths 1,8 --workers 4").status, 2);
  EXPECT_EQ(type("betatune simulate --serial 0.1").status, 2);
  EXPECT_EQ(type(command + "--scheduler fifo").status, 2);
}

TEST_F(JsonOutput, OfAStudyFileWithProblemsListsThem) {
  write(1, support::kReports, "stoping: {trials: 1}\n");

  const Ended ended = type("betatune check study.yaml --json");

  EXPECT_EQ(ended.status, 3);
  const Json document = Json::parse(ended.out, nullptr, false);
  ASSERT_TRUE(document.is_object()) << ended.out;
  EXPECT_EQ(document.at("schema"), "betatune.check/1");
  EXPECT_EQ(document.at("ok"), false);
  EXPECT_EQ(document.at("problems").at(0).at("line"), 10);
}

TEST_F(JsonOutput, OfAPluginThatCannotBeUsedSaysWhy) {
  const Ended ended = type("betatune plugin check ./no-such-plugin.so --json");

  EXPECT_NE(ended.status, 0);
  const Json document = Json::parse(ended.out, nullptr, false);
  ASSERT_TRUE(document.is_object()) << ended.out;
  EXPECT_EQ(document.at("schema"), "betatune.plugin/1");
  EXPECT_THAT(document.value("error", ""), HasSubstr("no-such-plugin"));
}

TEST_F(JsonOutput, OfARunIsAnEventInEachLineAndTheResultIsTalk) {
  write(3, support::kReports);

  const Ended ended = type("betatune run study.yaml --json");

  EXPECT_EQ(ended.status, 0) << ended.err;
  std::istringstream lines(ended.out);
  std::uint64_t seq = 0;
  std::string type;
  for (std::string line; std::getline(lines, line);) {
    const Json event = Json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << line;
    EXPECT_EQ(event.at("schema"), "betatune.event/1");
    EXPECT_EQ(event.at("seq"), ++seq);
    type = event.at("type");
  }
  EXPECT_EQ(type, "study_closed");
  EXPECT_THAT(ended.err, HasSubstr("best: trial "));
}

TEST_F(JsonOutput, OfAFinishedRunHasNoEventAndTalksOfTheResult) {
  write(1, support::kReports);
  ASSERT_EQ(type("betatune run study.yaml").status, 0);

  const Ended again = type("betatune run study.yaml --json");

  EXPECT_EQ(again.status, 0);
  EXPECT_EQ(again.out, "");
  EXPECT_THAT(again.err, HasSubstr("finished"));
}

TEST_F(JsonOutput, IsJsonWhateverBytesATrainerWrote) {
  write(1, "printf 'quote \" backslash \\\\ and bytes \\377\\376\\001 here' >&2; exit 1\n");
  ASSERT_EQ(type("betatune run study.yaml --json").status, 1);

  for (const char* command : {"show demo 0", "trials demo", "status demo"}) {
    EXPECT_TRUE(json(std::string("betatune ") + command + " --json").is_object()) << command;
  }
  const std::string message = json("betatune show demo 0 --json").at("message");
  EXPECT_THAT(message, HasSubstr("quote \" backslash \\ and bytes"));
  const Json exported = Json::parse(type("betatune export jsonl demo").out, nullptr, false);
  EXPECT_EQ(exported.value("id", -1), 0);
}

TEST_F(JsonOutput, OfSchemaIsAJsonSchema) {
  const Json document = json("betatune schema");

  EXPECT_THAT(document.value("$schema", ""), StartsWith("https://json-schema.org/"));
}

}  // namespace
}  // namespace betatune
