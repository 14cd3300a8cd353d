#include <fmt/format.h>

#include "optimizer/stores/sqlite_best.hpp"
#include "optimizer/stores/sqlite_schema.hpp"
#include "optimizer/stores/study_lock.hpp"
#include "optimizer/stores/study_reader.hpp"

namespace betatune {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::string_view kTrialColumns =
    "id, state, outcome, loss, step, origin, params, metrics, attempt, failures, failure, message,"
    " decision, trainer, checkpoint, note, created_at_us, started_at_us, ended_at_us,"
    " (SELECT sum(a.work_us) FROM attempt_rows a WHERE a.trial=id)"
    " AS work_us, iif(violation < 9e999, violation, NULL), watched,"
    " iif(first = id, NULL, first), parent, parent_step, replaces";

std::optional<std::string> text_or_nothing(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.string(column);
}
std::optional<std::int64_t> integer_or_nothing(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}
std::optional<std::uint64_t> id_or_nothing(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<std::uint64_t>(row.integer(column));
}
/// Null for text that is not JSON: a reading command shows what it can.
Json json_of(const Statement& row, int column) {
  if (row.is_null(column)) return nullptr;
  Json json = Json::parse(row.text(column), nullptr, false);
  return json.is_discarded() ? Json(nullptr) : json;
}

TrialRow trial_of(const Statement& row) {
  TrialRow trial;
  trial.id = static_cast<std::uint64_t>(row.integer(0));
  trial.state = row.string(1);
  trial.outcome = text_or_nothing(row, 2);
  trial.loss = row.optional_real(3);
  trial.step = row.integer(4);
  trial.origin = row.string(5);
  trial.params = json_of(row, 6);
  trial.metrics = json_of(row, 7);
  trial.attempts = static_cast<std::uint64_t>(row.integer(8));
  trial.failures = row.integer(9);
  trial.failure = text_or_nothing(row, 10);
  trial.message = text_or_nothing(row, 11);
  trial.decision = text_or_nothing(row, 12);
  trial.trainer = text_or_nothing(row, 13);
  trial.checkpoint = text_or_nothing(row, 14);
  trial.note = json_of(row, 15);
  trial.created_at_us = row.integer(16);
  trial.started_at_us = integer_or_nothing(row, 17);
  trial.ended_at_us = integer_or_nothing(row, 18);
  trial.work_us = integer_or_nothing(row, 19);
  trial.violation = row.optional_real(20);
  trial.watched = json_of(row, 21);
  trial.repeats = id_or_nothing(row, 22);
  trial.parent = id_or_nothing(row, 23);
  trial.parent_step = integer_or_nothing(row, 24);
  trial.replaces = id_or_nothing(row, 25);
  return trial;
}

constexpr const char* kAttemptColumns =
    "a.attempt, a.trainer, a.from_step, a.until, a.outcome, a.failure, a.message, a.step,"
    " a.started_at_us, a.ended_at_us, a.steps, a.time_us, a.gpus, a.ranks";
/// With what they have used: those that run by the last event.
constexpr const char* kAttempts =
    "(SELECT r.*,"
    " coalesce(r.trained, (SELECT max(0, min(r.until, t.step) - r.from_step) FROM trial_rows t"
    "  WHERE t.id=r.trial)) AS steps,"
    " coalesce(r.work_us, (SELECT value FROM study_rows WHERE key='active_us') - r.began_us)"
    "  AS time_us"
    " FROM attempt_rows r) a";

AttemptRow attempt_of(const Statement& row) {
  return {static_cast<std::uint64_t>(row.integer(0)),
          row.string(1),
          row.integer(2),
          row.integer(3),
          text_or_nothing(row, 4),
          text_or_nothing(row, 5),
          text_or_nothing(row, 6),
          integer_or_nothing(row, 7),
          row.integer(8),
          integer_or_nothing(row, 9),
          row.integer(10),
          row.integer(11),
          row.integer(12),
          integer_or_nothing(row, 13)};
}

ReportRow report_of(const Statement& row) {
  return {static_cast<std::uint64_t>(row.integer(0)), row.integer(1), row.optional_real(2),
          json_of(row, 3), row.integer(4)};
}

/// What `sort` stands for in SQL; names of parameters and metrics are looked up by bound paths.
std::string sort_expression(const std::string& sort) {
  static const std::map<std::string, std::string> known = {{"id", "id"},
                                                           {"loss", "loss"},
                                                           {"violation", "violation"},
                                                           {"step", "step"},
                                                           {"created", "created_at_us"},
                                                           {"started", "started_at_us"},
                                                           {"ended", "ended_at_us"},
                                                           {"duration", "work_us"}};
  const auto found = known.find(sort);
  return found != known.end() ? found->second
                              : "coalesce(json_extract(params, ?3), json_extract(metrics, ?3))";
}

class SqliteReader final : public StudyReader {
 public:
  SqliteReader(Database database, std::filesystem::path directory)
      : database_(std::move(database)), directory_(std::move(directory)) {}

  Result<StudySummary> summary() override;
  Status trials(const TrialQuery& query, const std::function<bool(const TrialRow&)>& each) override;
  Result<std::optional<TrialRow>> trial(TrialId id) override;
  Result<std::vector<AttemptRow>> attempts(TrialId id) override;
  Status all_attempts(
      const std::function<bool(const TrialOfAttempt&, const AttemptRow&)>& each) override;
  Result<std::vector<ReportRow>> reports(TrialId id) override;
  Status all_reports(
      bool metrics,
      const std::function<bool(std::uint64_t trial, const ReportRow&)>& each) override;
  Result<std::vector<std::string>> parameter_names() override { return keys_of("params"); }
  Result<std::vector<std::string>> metric_names() override { return keys_of("metrics"); }

 private:
  Status read_study(StudySummary& summary);
  Status read_counts(StudySummary& summary);
  Status read_usage(StudySummary& summary);
  Status read_best(StudySummary& summary);
  Result<std::optional<TrialRow>> one_trial(const std::string& sql);
  Result<std::vector<std::string>> keys_of(const std::string& column);

  Database database_;
  std::filesystem::path directory_;
};

Status SqliteReader::read_study(StudySummary& summary) {
  BETATUNE_TRY(Statement rows, database_.prepare("SELECT key, value FROM study_rows"));
  const std::map<std::string_view, std::string*> texts = {
      {"name", &summary.name},
      {"seed", &summary.seed},
      {"build", &summary.build},
      {"closed_reason", &summary.closed_reason}};
  const std::map<std::string_view, std::int64_t*> numbers = {
      {"enqueued", &summary.enqueued},
      {"confirmations", &summary.confirmations},
      {"first_at_us", &summary.first_at_us},
      {"last_at_us", &summary.last_at_us},
      {"active_us", &summary.active_us}};
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return Ok{};
    const std::string key = rows.string(0);
    if (const auto text = texts.find(key); text != texts.end()) *text->second = rows.string(1);
    if (const auto number = numbers.find(key); number != numbers.end()) {
      *number->second = rows.integer(1);
    }
    if (key == "document") summary.document = json_of(rows, 1);
    if (key == "epoch") summary.epoch = static_cast<std::uint64_t>(rows.integer(1));
  }
}

Status SqliteReader::read_counts(StudySummary& summary) {
  BETATUNE_TRY(Statement rows,
               database_.prepare("SELECT state, outcome, failure, count(*) FROM trial_rows"
                                 " GROUP BY state, outcome, failure"));
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return Ok{};
    const std::int64_t count = rows.integer(3);
    summary.by_state[rows.string(0)] += count;
    if (rows.is_null(1)) continue;
    const std::string outcome = rows.string(1);
    summary.by_outcome[outcome] += count;
    if (outcome == "failed" && !rows.is_null(2)) summary.by_failure[rows.string(2)] += count;
  }
}

Status SqliteReader::read_usage(StudySummary& summary) {
  BETATUNE_TRY(Statement rows, database_.prepare(fmt::format(
                                   "SELECT coalesce(sum(steps), 0), coalesce(sum(time_us), 0),"
                                   " coalesce(sum(time_us * gpus), 0) FROM {}",
                                   kAttempts)));
  BETATUNE_TRY(const bool row, rows.step());
  BETATUNE_ASSERT(row);
  summary.used = {rows.integer(1), rows.integer(2), rows.integer(0)};
  return Ok{};
}

Status SqliteReader::read_best(StudySummary& summary) {
  BETATUNE_TRY(auto best, sqlite::best_trial(database_));
  if (!best) return Ok{};
  BETATUNE_TRY(summary.best, trial(best->id));
  summary.best_result = std::move(best->result);
  summary.best_level = best->level;
  summary.best_model = std::move(best->model);
  return Ok{};
}

Result<StudySummary> SqliteReader::summary() {
  StudySummary summary;
  // One snapshot for all statements.
  BETATUNE_CHECK(database_.execute("BEGIN"));
  const auto all = [&]() -> Status {
    BETATUNE_CHECK(read_study(summary));
    BETATUNE_CHECK(read_counts(summary));
    BETATUNE_CHECK(read_usage(summary));
    BETATUNE_CHECK(read_best(summary));
    BETATUNE_TRY(const std::int64_t events, database_.query_integer("SELECT max(seq) FROM events"));
    summary.events = static_cast<Sequence>(events);
    return Ok{};
  };
  Status done = all();
  BETATUNE_CHECK(database_.execute("COMMIT"));
  if (!done) return done.error();
  summary.optimizer_pid = lock_holder(directory_ / sqlite::kLockName);
  return summary;
}

Status SqliteReader::trials(const TrialQuery& query,
                            const std::function<bool(const TrialRow&)>& each) {
  const std::string by = sort_expression(query.sort);
  // Rows without a value come last in both directions.
  const std::string order =
      fmt::format("({0}) IS NULL, ({0}) {1}, id", by, query.descending ? "DESC" : "ASC");
  BETATUNE_TRY(
      Statement rows,
      database_.prepare(fmt::format(
          "SELECT {} FROM trial_rows WHERE ?1 IS NULL OR state=?1"
          " OR outcome=?1 ORDER BY {} LIMIT ?2",
          kTrialColumns, query.sort == "id" && !query.descending ? std::string("id") : order)));
  rows.with(query.state, query.limit);
  const std::string path = "$.\"" + query.sort + "\"";
  if (by.find("?3") != std::string::npos) rows.bind(3, std::string_view(path));
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row || !each(trial_of(rows))) return Ok{};
  }
}

Result<std::optional<TrialRow>> SqliteReader::one_trial(const std::string& sql) {
  BETATUNE_TRY(Statement rows, database_.prepare(sql));
  BETATUNE_TRY(const bool row, rows.step());
  if (!row) return std::optional<TrialRow>();
  return std::optional<TrialRow>(trial_of(rows));
}

Result<std::optional<TrialRow>> SqliteReader::trial(TrialId id) {
  return one_trial(fmt::format("SELECT {} FROM trial_rows WHERE id={}", kTrialColumns, id.n));
}

Result<std::vector<AttemptRow>> SqliteReader::attempts(TrialId id) {
  BETATUNE_TRY(Statement rows,
               database_.prepare(fmt::format("SELECT {} FROM {} WHERE trial=?1 ORDER BY attempt",
                                             kAttemptColumns, kAttempts)));
  rows.with(id.n);
  std::vector<AttemptRow> found;
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return found;
    found.push_back(attempt_of(rows));
  }
}

Status SqliteReader::all_attempts(
    const std::function<bool(const TrialOfAttempt&, const AttemptRow&)>& each) {
  BETATUNE_TRY(Statement rows,
               database_.prepare(fmt::format(
                   "SELECT {}, a.trial, t.origin, t.state, t.outcome FROM {} JOIN trial_rows t"
                   " ON t.id = a.trial ORDER BY a.trial, a.attempt",
                   kAttemptColumns, kAttempts)));
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return Ok{};
    const TrialOfAttempt trial{static_cast<std::uint64_t>(rows.integer(14)), rows.string(15),
                               rows.string(16), text_or_nothing(rows, 17)};
    if (!each(trial, attempt_of(rows))) return Ok{};
  }
}

Result<std::vector<ReportRow>> SqliteReader::reports(TrialId id) {
  BETATUNE_TRY(Statement rows,
               database_.prepare("SELECT attempt, step, loss, metrics, at_us FROM report_rows"
                                 " WHERE trial=?1 ORDER BY seq"));
  rows.with(id.n);
  std::vector<ReportRow> found;
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return found;
    found.push_back(report_of(rows));
  }
}

Status SqliteReader::all_reports(
    bool metrics, const std::function<bool(std::uint64_t trial, const ReportRow&)>& each) {
  BETATUNE_TRY(Statement rows,
               database_.prepare(fmt::format("SELECT attempt, step, loss, {}, at_us, trial FROM"
                                             " report_rows ORDER BY seq",
                                             metrics ? "metrics" : "NULL")));
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return Ok{};
    if (!each(static_cast<std::uint64_t>(rows.integer(5)), report_of(rows))) return Ok{};
  }
}

Result<std::vector<std::string>> SqliteReader::keys_of(const std::string& column) {
  BETATUNE_TRY(Statement rows,
               database_.prepare(fmt::format("SELECT DISTINCT each.key FROM trial_rows,"
                                             " json_each(trial_rows.{}) each ORDER BY 1",
                                             column)));
  std::vector<std::string> found;
  for (;;) {
    BETATUNE_TRY(const bool row, rows.step());
    if (!row) return found;
    found.push_back(rows.string(0));
  }
}

}  // namespace

std::int64_t StudySummary::trials() const {
  std::int64_t all = 0;
  for (const auto& [state, count] : by_state) all += count;
  return all;
}

Result<std::unique_ptr<StudyReader>> StudyReader::open(const std::filesystem::path& directory) {
  const std::filesystem::path file = directory / sqlite::kFileName;
  std::error_code failed;
  if (!std::filesystem::exists(file, failed)) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: no study is here; `betatune run STUDY.yaml` starts one",
                             directory.string())};
  }
  BETATUNE_TRY(Database database, sqlite::open_database(file, OpenMode::read_only));
  BETATUNE_TRY(const std::int64_t version,
               database.query_integer("SELECT value FROM meta WHERE key='projection'"));
  if (version != sqlite::kProjectionVersion) {
    return Error{ErrorKind::unsupported,
                 fmt::format("{}: its tables are those of another version of Betatune; `betatune "
                             "run STUDY.yaml` makes them anew",
                             file.string())};
  }
  return std::unique_ptr<StudyReader>(
      std::make_unique<SqliteReader>(std::move(database), directory));
}

}  // namespace betatune
