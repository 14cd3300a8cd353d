#include "optimizer/rung_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using testing::ElementsAre;

/// Writes the rows of a study's trials.
class Rows {
 public:
  explicit Rows(RungPlan plan, Outcomes outcomes = {})
      : table_(std::move(plan), std::move(outcomes)) {}

  void report(std::uint64_t trial, std::uint64_t attempt, Step step, std::optional<double> loss,
              Json metrics = Json::object()) {
    table_.add(trial, ReportRow{attempt, step, loss, std::move(metrics), 0});
  }
  /// Attempt 1, 2 ... of the trial; the end is added with the table.
  void attempt(std::uint64_t trial, Step until, std::optional<std::string> end) {
    AttemptRow row;
    row.attempt = ++attempts_[trial];
    row.until = until;
    row.end = std::move(end);
    rows_.emplace_back(trial, row);
  }
  void is(std::uint64_t trial, std::string state, std::optional<std::string> outcome = {}) {
    states_[trial] = {trial, "random", std::move(state), std::move(outcome)};
  }
  const RungTable& table() {
    for (const auto& [trial, row] : rows_) table_.add(states_.at(trial), row);
    table_.compare();
    return table_;
  }

 private:
  RungTable table_;
  std::map<std::uint64_t, std::uint64_t> attempts_;
  std::map<std::uint64_t, TrialOfAttempt> states_;
  std::vector<std::pair<std::uint64_t, AttemptRow>> rows_;
};

std::vector<std::string> lines(const RungTable& table) {
  std::vector<std::string> out;
  for (RungLine line : table.lines()) {
    std::string text = std::to_string(line.step) + ": " + std::to_string(line.reached);
    for (const auto& each : enum_names(RungFate{})) {
      if (line.count[each.value] > 0) {
        text += ", " + std::to_string(line.count[each.value]) + " " + std::string(each.name);
      }
    }
    if (line.best) text += ", best " + std::to_string(static_cast<int>(*line.best));
    out.push_back(text);
  }
  return out;
}

std::vector<std::string> places(const RungTable& table, std::uint64_t trial) {
  std::vector<std::string> out;
  for (const RungVisit& visit : table.of(trial)) {
    out.push_back(std::to_string(visit.place) + " of " +
                  std::to_string(table.lines()[visit.rung].compared) + " at " +
                  std::to_string(table.plan().levels[visit.rung]) + " behind report " +
                  std::to_string(visit.reports) + ": " + std::string(to_name(visit.fate)));
  }
  return out;
}

const RungPlan kPausing{{1, 3, 9}, 3, false, false};
const RungPlan kPassing{{1, 3, 9}, 3, true, false};

TEST(RungTable, CountsWhoIsPausedWentOnIsUnderWayAndEnded) {
  Rows rows(kPausing);
  for (std::uint64_t trial = 0; trial < 4; ++trial) {
    rows.report(trial, 1, 1, 5.0 + static_cast<double>(trial));
    rows.attempt(trial, 1, "reached");
  }
  rows.report(0, 2, 2, 4.5);
  rows.report(0, 2, 3, 4);
  rows.attempt(0, 3, "reached");
  rows.attempt(1, 3, std::nullopt);  // runs
  rows.is(0, "paused");
  rows.is(1, "running");
  rows.is(2, "paused");
  rows.is(3, "closed", "stopped");

  const RungTable& table = rows.table();

  EXPECT_THAT(lines(table), ElementsAre("1: 4, 1 went_on, 1 under_way, 1 paused, 1 ended, best 5",
                                        "3: 1, 1 paused, best 4", "9: 0"));
  EXPECT_THAT(places(table, 0), ElementsAre("1 of 4 at 1 behind report 1: went_on",
                                            "1 of 1 at 3 behind report 3: paused"));
  EXPECT_THAT(places(table, 2), ElementsAre("3 of 4 at 1 behind report 1: paused"));
}

TEST(RungTable, TakesTheNewestLossOfATrainerThatReportsSeldom) {
  Rows rows(kPausing);
  rows.report(0, 1, 2, 7);  // rung 3 is reached without a report at it
  rows.report(0, 1, 2, std::nullopt);
  rows.attempt(0, 3, "reached");
  rows.report(0, 2, 4, 1);
  rows.attempt(0, 9, std::nullopt);
  rows.is(0, "running");

  EXPECT_THAT(lines(rows.table()), ElementsAre("1: 0", "3: 1, 1 under_way, best 7", "9: 0"));
}

TEST(RungTable, KeepsTheFirstResultOfATrialThatIsTrainedAgain) {
  Rows rows(kPausing);
  rows.report(0, 1, 1, 5);
  rows.attempt(0, 1, "reached");
  rows.report(0, 2, 1, 2);  // from the beginning: its checkpoint was damaged
  rows.report(0, 2, 2, 2);
  rows.attempt(0, 3, "lost");
  rows.attempt(0, 3, std::nullopt);
  rows.is(0, "running");

  EXPECT_THAT(lines(rows.table()), ElementsAre("1: 1, 1 under_way, best 5", "3: 0", "9: 0"));
}

TEST(RungTable, LeavesFailedTrialsOutOfTheComparison) {
  Rows rows(kPausing);
  for (std::uint64_t trial = 0; trial < 2; ++trial) {
    rows.report(trial, 1, 1, static_cast<double>(trial) + 1);
    rows.attempt(trial, 1, "reached");
  }
  rows.attempt(0, 3, "failed");
  rows.is(0, "closed", "failed");
  rows.is(1, "paused");

  const RungTable& table = rows.table();

  EXPECT_THAT(lines(table), ElementsAre("1: 2, 1 paused, 1 ended, best 2", "3: 0", "9: 0"));
  EXPECT_THAT(places(table, 0), ElementsAre("0 of 1 at 1 behind report 1: ended"));
}

TEST(RungTable, SeesWhoIsJudgedInPassing) {
  Rows rows(kPassing);
  for (Step step = 1; step <= 3; ++step) rows.report(0, 1, step, 10.0 - static_cast<double>(step));
  for (Step step = 2; step <= 4; step += 2) rows.report(1, 1, step, 3);  // every other step
  rows.attempt(0, 9, "stopped");
  rows.attempt(1, 9, std::nullopt);
  rows.is(0, "closed", "stopped");
  rows.is(1, "running");

  const RungTable& table = rows.table();

  EXPECT_THAT(lines(table),
              ElementsAre("1: 2, 2 went_on, best 3", "3: 2, 1 under_way, 1 ended, best 3", "9: 0"));
  EXPECT_THAT(places(table, 0), ElementsAre("2 of 2 at 1 behind report 1: went_on",
                                            "2 of 2 at 3 behind report 3: ended"));
}

TEST(RungTable, PutsThoseThatBreakOutcomeConstraintsBehindAllThatDoNot) {
  Rows rows(kPausing, Outcomes::of(Json{{"outcome_constraints", {"mem <= 70"}}}).value());
  rows.report(0, 1, 1, 1, {{"mem", 80}});
  rows.report(1, 1, 1, 2, {{"mem", 60}});
  for (std::uint64_t trial = 0; trial < 2; ++trial) {
    rows.attempt(trial, 1, "reached");
    rows.is(trial, "paused");
  }

  const RungTable& table = rows.table();

  EXPECT_THAT(places(table, 0), ElementsAre("2 of 2 at 1 behind report 1: paused"));
  EXPECT_THAT(lines(table), ElementsAre("1: 2, 2 paused, best 2", "3: 0", "9: 0"));
}

Outcomes loss_and_accuracy() {
  const Json accuracy{{"metric", "accuracy"}, {"goal", "maximize"}};
  return Outcomes::of(Json{{"objectives", {{{"metric", "loss"}}, accuracy}}}).value();
}

TEST(RungTable, RanksSeveralObjectivesByFronts) {
  Rows rows(kPausing, loss_and_accuracy());
  const std::vector<std::pair<double, double>> results = {
      {1, 0.1}, {2, 0.2}, {5, 0.5}, {3, 0.1}, {0, 0.9}};
  for (std::uint64_t trial = 0; trial < results.size(); ++trial) {
    const auto& [loss, accuracy] = results[trial];
    rows.report(trial, 1, 1, loss, {{"accuracy", accuracy}});
    rows.attempt(trial, 1, "reached");
    rows.is(trial, "paused");
  }
  rows.attempt(4, 3, "failed");
  rows.is(4, "closed", "failed");

  const RungTable& table = rows.table();

  EXPECT_THAT(places(table, 0), ElementsAre("1 of 4 at 1 behind report 1: paused"));
  EXPECT_THAT(places(table, 2), ElementsAre("2 of 4 at 1 behind report 1: paused"));
  EXPECT_THAT(places(table, 1), ElementsAre("3 of 4 at 1 behind report 1: paused"));
  EXPECT_THAT(places(table, 3), ElementsAre("4 of 4 at 1 behind report 1: paused"));
  EXPECT_THAT(places(table, 4), ElementsAre("0 of 4 at 1 behind report 1: ended"));
  EXPECT_EQ(table.lines()[0].front, 3) << "trial 4 has left: it beats nobody";
  EXPECT_EQ(table.lines()[0].best, std::nullopt);
}

TEST(RungTable, WaitsInPassingUntilAllObjectivesAreKnown) {
  Rows rows(kPassing, loss_and_accuracy());
  rows.report(0, 1, 1, 7);
  rows.report(0, 1, 1, std::nullopt, {{"accuracy", 0.5}});
  rows.report(1, 1, 1, 7);
  for (std::uint64_t trial = 0; trial < 2; ++trial) {
    rows.attempt(trial, 9, std::nullopt);
    rows.is(trial, "running");
  }

  const RungTable& table = rows.table();

  EXPECT_THAT(places(table, 0), ElementsAre("1 of 1 at 1 behind report 2: under_way"));
  EXPECT_THAT(places(table, 1), ElementsAre());
}

}  // namespace
}  // namespace betatune
