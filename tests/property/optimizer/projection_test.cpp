// The tables that people query say what the fold of the log says.

#include <gtest/gtest.h>
#include <limits>

#include "optimizer/standings.hpp"
#include "optimizer/store.hpp"
#include "optimizer/stores/sqlite_schema.hpp"
#include "optimizer/stores/study_reader.hpp"
#include "optimizer/study_state.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using sqlite::Access;
using sqlite::Database;

StudyState fold(std::span<const Event> events) {
  StudyState state;
  for (const Event& event : events) {
    const Status applied = apply(state, event);
    EXPECT_TRUE(applied) << applied.error().message;
  }
  return state;
}

void expect_same_trial(const TrialRow& row, const Trial& trial) {
  SCOPED_TRACE("trial " + std::to_string(row.id));
  EXPECT_EQ(row.id, trial.id.n);
  EXPECT_EQ(row.state, to_name(trial.state));
  EXPECT_EQ(row.outcome.has_value(), trial.outcome.has_value());
  if (row.outcome && trial.outcome) {
    EXPECT_EQ(*row.outcome, to_name(*trial.outcome));
  }
  EXPECT_EQ(row.loss, trial.loss);
  EXPECT_EQ(row.violation.value_or(std::numeric_limits<double>::infinity()), trial.violation);
  EXPECT_EQ(row.watched.get<Metrics>(), trial.watched);
  EXPECT_EQ(row.step, trial.step);
  EXPECT_EQ(row.params, to_json(*trial.configuration));
  EXPECT_EQ(row.metrics.get<Metrics>(), trial.last_metrics);
  EXPECT_EQ(row.attempts, trial.attempt.n);
  EXPECT_EQ(row.repeats.has_value(), trial.repeats.has_value());
  if (row.repeats && trial.repeats) {
    EXPECT_EQ(*row.repeats, trial.repeats->n);
  }
  std::int64_t failures = 0;
  for (const auto& [kind, count] : trial.failures) failures += count;
  EXPECT_EQ(row.failures, failures);
  EXPECT_EQ(row.checkpoint.has_value(), trial.checkpoint.has_value());
  if (row.checkpoint && trial.checkpoint) {
    EXPECT_EQ(*row.checkpoint, trial.checkpoint->uri);
  }
}

void expect_same_study(StudyReader& reader, const StudyState& state) {
  const auto summary = reader.summary();
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary.value().name, state.name);
  EXPECT_EQ(summary.value().document, state.document);
  EXPECT_EQ(summary.value().seed, std::to_string(state.seed));
  EXPECT_EQ(summary.value().epoch, state.epoch);
  EXPECT_EQ(summary.value().events, state.seq);
  EXPECT_EQ(summary.value().active_us, state.active_us);
  EXPECT_EQ(summary.value().used, state.used);
  EXPECT_EQ(summary.value().closed_reason, state.closed_reason.value_or(""));
  EXPECT_EQ(summary.value().best.has_value(), state.best.has_value());
  if (summary.value().best && state.best) {
    const Trial& best = state.trials[*state.best];
    EXPECT_EQ(summary.value().best->id, best.id.n);
    const Repeated result = repeated_result(state.trials, best);
    EXPECT_EQ(summary.value().best_result.losses, result.losses);
    EXPECT_EQ(summary.value().best_result.confirmed, result.confirmed);
    EXPECT_EQ(summary.value().best_level, best.standing->level);
    EXPECT_DOUBLE_EQ(result.mean(), best.standing->loss);
  }
  EXPECT_EQ(summary.value().confirmations, state.confirmations);
  for (const auto& [outcome, count] : state.closed) {
    EXPECT_EQ(summary.value().by_outcome.at(to_name(outcome)), count);
  }
  std::uint64_t seen = 0;
  ASSERT_TRUE(reader.trials({}, [&](const TrialRow& row) {
    expect_same_trial(row, state.trials[TrialId{seen++}]);
    return true;
  }));
  EXPECT_EQ(seen, state.trials.size());
}

TEST(Projection, SaysWhatTheFoldSaysAtEveryLength) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    support::TemporaryDirectory directory;
    support::LogShape shape;
    shape.trials = 12;
    shape.seed = seed;
    shape.limited = seed % 2 == 0;
    shape.repeated = seed % 3 == 0;
    const std::vector<Event> log = support::make_study_log(shape);
    auto store = open_sqlite_store(directory.path(), OpenMode::optimizer).value();
    ASSERT_TRUE(store->begin_epoch());
    const std::size_t chunk = 5 + seed;
    for (std::size_t at = 0; at < log.size(); at += chunk) {
      const std::size_t count = std::min(chunk, log.size() - at);
      ASSERT_TRUE(store->append(at, std::span(log).subspan(at, count)));

      auto reader = StudyReader::open(directory.path());

      ASSERT_TRUE(reader) << reader.error().message;
      expect_same_study(*reader.value(), fold(std::span(log).first(at + count)));
    }
  }
}

TEST(Projection, IsMadeAgainFromTheLog) {
  support::TemporaryDirectory directory;
  const std::vector<Event> log = support::make_study_log({.trials = 30, .seed = 3});
  {
    auto store = open_sqlite_store(directory.path(), OpenMode::optimizer).value();
    ASSERT_TRUE(store->begin_epoch());
    ASSERT_TRUE(store->append(0, log));
  }
  auto database = Database::open(directory.path() / "study.db", Access::read_write);
  ASSERT_TRUE(database.value().execute(
      "DROP TABLE trial_rows; DELETE FROM report_rows; DELETE FROM study_rows;"
      "UPDATE meta SET value=0 WHERE key='projection'"));

  ASSERT_TRUE(open_sqlite_store(directory.path(), OpenMode::optimizer));

  auto reader = StudyReader::open(directory.path());
  ASSERT_TRUE(reader) << reader.error().message;
  expect_same_study(*reader.value(), fold(log));
}

TEST(Projection, JudgesByChangedConstraintsAsTheFoldDoes) {
  support::TemporaryDirectory directory;
  std::vector<Event> log =
      support::make_study_log({.trials = 20, .faults = false, .seed = 5, .limited = true});
  log.pop_back();  // the study is not closed yet
  const auto change = [&](const std::vector<std::string>& limits) {
    Json document = std::get<StudyCreated>(log.front().fact).document;
    document["outcome_constraints"] = limits;
    const Event& last = log.back();
    log.push_back(Event{last.seq + 1, last.at_us, DocumentChanged{document}});
  };
  change({"accuracy <= 0.4", "mem <= 65"});
  change({});
  auto store = open_sqlite_store(directory.path(), OpenMode::optimizer).value();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, std::span(log).first(log.size() - 2)));
  for (std::size_t n = log.size() - 1; n <= log.size(); ++n) {
    ASSERT_TRUE(store->append(n - 1, std::span(log).subspan(n - 1, 1)));

    auto reader = StudyReader::open(directory.path());

    ASSERT_TRUE(reader) << reader.error().message;
    expect_same_study(*reader.value(), fold(std::span(log).first(n)));
  }
}

TEST(Projection, ForgetsWhatWasNotCommitted) {
  support::TemporaryDirectory directory;
  const std::vector<Event> log = support::make_study_log({});
  auto store = open_sqlite_store(directory.path(), OpenMode::optimizer).value();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, std::span(log).first(10)));
  const std::vector<std::int64_t> unknown{4711};

  ASSERT_FALSE(store->append(10, std::span(log).subspan(10, 5), unknown));
  ASSERT_TRUE(store->append(10, std::span(log).subspan(10)));

  auto reader = StudyReader::open(directory.path());
  expect_same_study(*reader.value(), fold(log));
}

TEST(Projection, HasTheDocumentedViews) {
  support::TemporaryDirectory directory;
  const std::vector<Event> log = support::make_study_log({.trials = 5, .faults = false});
  auto store = open_sqlite_store(directory.path(), OpenMode::optimizer).value();
  ASSERT_TRUE(store->begin_epoch());
  ASSERT_TRUE(store->append(0, log));
  auto database = Database::open(directory.path() / "study.db", Access::read_only);

  const auto count = [&](const std::string& sql) {
    const auto number = database.value().query_integer(sql);
    EXPECT_TRUE(number) << number.error().message;
    return number ? number.value() : -1;
  };

  EXPECT_EQ(count("SELECT count(*) FROM trials WHERE outcome='completed'"), 5);
  EXPECT_EQ(count("SELECT count(*) FROM trials WHERE json_extract(params, '$.lr') BETWEEN 0 AND 1"),
            5);
  EXPECT_EQ(count("SELECT count(*) FROM observations WHERE metric='val_loss'"), 15);
  EXPECT_EQ(count("SELECT count(*) FROM observations o JOIN trials t ON o.trial=t.id AND"
                  " o.step=t.step AND o.metric='val_loss' AND o.value=t.loss"),
            5);
  EXPECT_EQ(count("SELECT count(*) FROM attempts WHERE outcome='reached'"), 5);
  EXPECT_EQ(count("SELECT count(*) FROM study WHERE key='name' AND value='generated'"), 1);
}

}  // namespace
}  // namespace betatune
