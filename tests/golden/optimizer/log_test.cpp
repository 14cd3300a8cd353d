/// Logs that version 1 has written must replay in every build, to what a second implementation of
/// the fold (logs/summarize.py) says.

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

#include "optimizer/study_state.hpp"

namespace betatune {
namespace {

const std::filesystem::path kLogs =
    std::filesystem::path(BETATUNE_SOURCE_DIR) / "tests/golden/optimizer/logs";

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return Json::parse(file);
}

Json summary_of(const StudyState& state) {
  Json summary{{"seq", state.seq},
               {"epoch", state.epoch},
               {"next_plan", state.next_plan},
               {"enqueued", state.enqueued.size()},
               {"reason", state.closed_reason ? Json(*state.closed_reason) : Json()},
               {"best", state.best ? Json(state.best->n) : Json()},
               {"closed", Json::object()},
               {"trials", Json::array()}};
  for (const auto& [outcome, count] : state.closed) summary["closed"][to_name(outcome)] = count;
  for (const Trial& trial : state.trials) {
    int charged = 0;
    for (const auto& [failure, count] : trial.failures) charged += count;
    summary["trials"].push_back(
        Json{{"state", to_name(trial.state)},
             {"outcome", trial.outcome ? Json(to_name(*trial.outcome)) : Json()},
             {"attempt", trial.attempt.n},
             {"charged", charged},
             {"loss", trial.loss ? Json(*trial.loss) : Json()}});
  }
  return summary;
}

class GoldenLog : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenLog, Replays) {
  std::ifstream file(kLogs / (std::string(GetParam()) + ".jsonl"));
  ASSERT_TRUE(file.good());
  StudyState state;
  for (std::string line; std::getline(file, line);) {
    const Json event = Json::parse(line);
    const std::string type = event["type"];
    const auto fact = decode_fact(type, event["body"]);
    ASSERT_TRUE(fact) << fact.error().message;
    EXPECT_EQ(fact_type(fact.value()), type);
    const Status applied = apply(state, Event{event["seq"], event["at_us"], fact.value()});
    ASSERT_TRUE(applied) << applied.error().message;
  }

  EXPECT_EQ(summary_of(state), read_json(kLogs / (std::string(GetParam()) + ".summary.json")));
}

INSTANTIATE_TEST_SUITE_P(Version1, GoldenLog,
                         ::testing::Values("v1_by_hand", "v1_restarts", "v1_drained", "v1_conflict",
                                           "v1_basis"));

/// What this build writes is what version 1 wrote: a changed name or form of a field would make
/// older builds refuse the log.
TEST(GoldenLogForm, IsWrittenAsVersion1WroteIt) {
  for (const char* name : {"v1_restarts", "v1_drained", "v1_conflict", "v1_basis"}) {
    std::ifstream file(kLogs / (std::string(name) + ".jsonl"));
    for (std::string line; std::getline(file, line);) {
      const Json event = Json::parse(line);
      const auto fact = decode_fact(event["type"].get<std::string>(), event["body"]);
      ASSERT_TRUE(fact) << fact.error().message;
      EXPECT_EQ(encode_fact(fact.value()), event["body"]) << line;
    }
  }
}

}  // namespace
}  // namespace betatune
