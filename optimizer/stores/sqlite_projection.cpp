#include "optimizer/stores/sqlite_projection.hpp"

#include <fmt/format.h>

#include "optimizer/budgets.hpp"

namespace betatune::sqlite {
namespace {

constexpr const char* kSet = "INSERT OR REPLACE INTO study_rows VALUES(?1, ?2)";
constexpr const char* kAdd =
    "INSERT INTO study_rows VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = value + ?2";
constexpr const char* kKept =
    "SELECT coalesce((SELECT value FROM study_rows WHERE key='last_at_us'), 0),"
    " coalesce((SELECT value FROM study_rows WHERE key='active_us'), 0),"
    " coalesce((SELECT value FROM study_rows WHERE key='full_budget'), 1),"
    " coalesce((SELECT value FROM study_rows WHERE key='document'), '{}')";
constexpr const char* kTrial =
    "INSERT INTO trial_rows(id, state, origin, params, note, created_at_us, violation, first,"
    " parent, parent_step, replaces) VALUES(?1, 'waiting', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
constexpr const char* kStarted =
    "UPDATE trial_rows SET state='running', attempt=?2, trainer=?3, step=?4, until=?5,"
    " decision=NULL, decided_by=NULL, started_at_us=coalesce(started_at_us, ?6) WHERE id=?1";
constexpr const char* kAttempt =
    "INSERT INTO attempt_rows(trial, attempt, trainer, from_step, until, resumed_from,"
    " started_at_us, began_us, gpus, ranks) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
constexpr const char* kReport = "INSERT INTO report_rows VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)";
// A retried trial reports earlier steps again: loss and metrics stay those of the highest step.
// Metrics of one step may come in several reports.
constexpr const char* kReported =
    "UPDATE trial_rows SET step=max(step, ?2),"
    " loss=iif(?3 IS NOT NULL AND ?2 >= loss_step, ?3, loss),"
    " loss_step=iif(?3 IS NOT NULL AND ?2 >= loss_step, ?2, loss_step),"
    " metrics=CASE WHEN ?2 > metrics_step THEN ?4"
    "  WHEN ?2 = metrics_step THEN json_patch(metrics, ?4) ELSE metrics END,"
    " metrics_step=max(metrics_step, ?2) WHERE id=?1";
constexpr const char* kCheckpoint =
    "UPDATE trial_rows SET checkpoint=?2, checkpoint_step=?3 WHERE id=?1";
constexpr const char* kSaved = "INSERT INTO checkpoint_rows VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)";
constexpr const char* kDamaged =
    "UPDATE checkpoint_rows SET damaged=1 WHERE uri="
    "(SELECT resumed_from FROM attempt_rows WHERE trial=?1 AND attempt=?2)";
constexpr const char* kFallBack =
    "UPDATE trial_rows SET (checkpoint, checkpoint_step)=(SELECT c.uri, c.step"
    " FROM checkpoint_rows c WHERE c.trial=trial_rows.id AND NOT c.damaged"
    " ORDER BY c.seq DESC LIMIT 1) WHERE checkpoint="
    "(SELECT resumed_from FROM attempt_rows WHERE trial=?1 AND attempt=?2)";
constexpr const char* kDecided = "UPDATE trial_rows SET decision=?2, decided_by=?3 WHERE id=?1";
// The trial is worth what it reached; a failure leaves an earlier standing as it was.
constexpr const char* kPaused =
    "UPDATE trial_rows SET step=?2,"
    " state=iif(?3 = 'paused' AND decided_by IS NOT 'scheduler', 'waiting', 'paused'),"
    " standing_level=iif(loss IS NULL, NULL, min(loss_step, ?4)), standing_violation=violation,"
    " standing_loss=loss WHERE id=?1";
constexpr const char* kFailed =
    "UPDATE trial_rows SET step=?2, state='waiting', failure=?3, message=?4, failures=failures+?5"
    " WHERE id=?1";
constexpr const char* kAttemptEnded =
    "UPDATE attempt_rows SET outcome=?3, step=?4, failure=?5, message=?6, ended_at_us=?7,"
    " work_us=?8 - began_us, trained=max(0, min(until,"
    "  max(?4, (SELECT step FROM trial_rows WHERE id=?1))) - from_step)"
    " WHERE trial=?1 AND attempt=?2";
constexpr const char* kClosed =
    "UPDATE trial_rows SET state='closed', outcome=?2, ended_at_us=?3,"
    " standing_level=iif(?2 IN ('failed', 'cancelled'), NULL, standing_level),"
    " standing_loss=iif(?2 IN ('failed', 'cancelled'), NULL, standing_loss) WHERE id=?1";
constexpr const char* kLevel =
    "UPDATE trial_rows SET standing_level=min(loss_step, ?1), standing_violation=violation,"
    " standing_loss=loss WHERE standing_loss IS NOT NULL";
constexpr const char* kWatched = "SELECT watched FROM trial_rows WHERE id=?1";
constexpr const char* kJudged = "UPDATE trial_rows SET watched=?2, violation=?3 WHERE id=?1";
constexpr const char* kAllMetrics = "SELECT id, watched, metrics FROM trial_rows";

Metrics metrics_of(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json.get<Metrics>() : Metrics();
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

Result<Projection> Projection::make(const Database& database) {
  Projection made;
  const std::pair<Statement*, const char*> wanted[] = {{&made.set_, kSet},
                                                       {&made.add_, kAdd},
                                                       {&made.kept_, kKept},
                                                       {&made.trial_, kTrial},
                                                       {&made.started_, kStarted},
                                                       {&made.attempt_, kAttempt},
                                                       {&made.report_, kReport},
                                                       {&made.reported_, kReported},
                                                       {&made.checkpoint_, kCheckpoint},
                                                       {&made.saved_, kSaved},
                                                       {&made.damaged_, kDamaged},
                                                       {&made.fall_back_, kFallBack},
                                                       {&made.decided_, kDecided},
                                                       {&made.paused_, kPaused},
                                                       {&made.failed_, kFailed},
                                                       {&made.attempt_ended_, kAttemptEnded},
                                                       {&made.closed_, kClosed},
                                                       {&made.level_, kLevel},
                                                       {&made.watched_, kWatched},
                                                       {&made.judged_, kJudged},
                                                       {&made.all_metrics_, kAllMetrics}};
  for (const auto& [statement, sql] : wanted) {
    BETATUNE_TRY(*statement, database.prepare(sql));
  }
  BETATUNE_CHECK(made.reload());
  return made;
}

Status Projection::reload() {
  BETATUNE_TRY(const bool row, kept_.step());
  BETATUNE_ASSERT(row);
  last_at_us_ = kept_.integer(0);
  active_us_ = kept_.integer(1);
  full_budget_ = kept_.integer(2);
  const Json document = Json::parse(kept_.string(3), nullptr, false);
  kept_.reset();
  gpus_ = gpus_of(document);
  BETATUNE_TRY(outcomes_, Outcomes::of(document));
  return Ok{};
}

Status Projection::apply(const Event& event) {
  // As the fold does: the gap before an optimizer's start is time in which nobody worked on the
  // study, and a clock that was set back adds nothing.
  const bool gap = event.seq == 1 || std::holds_alternative<OptimizerStarted>(event.fact);
  if (!gap && event.at_us > last_at_us_) active_us_ += event.at_us - last_at_us_;
  last_at_us_ = event.at_us;
  return std::visit([&](const auto& fact) { return on(event, fact); }, event.fact);
}

Status Projection::finish() {
  BETATUNE_CHECK(set("last_at_us", last_at_us_));
  return set("active_us", active_us_);
}

Status Projection::set(std::string_view key, std::string_view value) {
  return set_.with(key, value).run();
}
Status Projection::set(std::string_view key, std::int64_t value) {
  return set_.with(key, value).run();
}

Status Projection::set_document(const Json& document) {
  full_budget_ = full_budget_of(document);
  gpus_ = gpus_of(document);
  BETATUNE_TRY(outcomes_, Outcomes::of(document));
  BETATUNE_CHECK(set("full_budget", full_budget_));
  return set("document", json_text(document));
}

Status Projection::on(const Event& event, const StudyCreated& fact) {
  BETATUNE_CHECK(set("name", fact.name));
  BETATUNE_CHECK(set_document(fact.document));
  // As text: SQLite's integers are signed.
  BETATUNE_CHECK(set("seed", std::to_string(fact.seed)));
  return set("first_at_us", event.at_us);
}

Status Projection::on(const Event&, const OptimizerStarted& fact) {
  BETATUNE_CHECK(set("build", fact.build));
  BETATUNE_CHECK(set("closed_reason", ""));
  return set("epoch", static_cast<std::int64_t>(fact.epoch));
}

Status Projection::on(const Event&, const DocumentChanged& fact) {
  const std::int64_t before = full_budget_;
  const Outcomes judged = outcomes_;
  BETATUNE_CHECK(set_document(fact.document));
  if (outcomes_ == judged && full_budget_ == before) return Ok{};
  if (outcomes_ != judged) BETATUNE_CHECK(judge_again());
  return level_.with(full_budget_).run();
}

// The log is its place: nothing of it is shown beside this study's own results.
Status Projection::on(const Event&, const EarlierStudyRead&) {
  return Ok{};
}

Status Projection::judge(TrialId trial, const Metrics& watched) {
  const double violation = outcomes_.violation(outcomes_.read(watched));
  return judged_.with(trial.n, json_text(watched), violation).run();
}

/// As the fold does under other outcome constraints.
Status Projection::judge_again() {
  std::vector<std::pair<TrialId, Metrics>> all;
  for (;;) {
    BETATUNE_TRY(const bool row, all_metrics_.step());
    if (!row) break;
    const TrialId trial{static_cast<std::uint64_t>(all_metrics_.integer(0))};
    Metrics& watched = all.emplace_back(trial, Metrics()).second;
    outcomes_.remember(metrics_of(all_metrics_.text(1)), watched);
    outcomes_.remember(metrics_of(all_metrics_.text(2)), watched);
  }
  all_metrics_.reset();
  for (const auto& [trial, watched] : all) BETATUNE_CHECK(judge(trial, watched));
  return Ok{};
}

Status Projection::watch(TrialId trial, const Metrics& reported) {
  watched_.with(trial.n);
  BETATUNE_TRY(const bool row, watched_.step());
  BETATUNE_ASSERT(row);
  Metrics watched = metrics_of(watched_.text(0));
  watched_.reset();
  outcomes_.remember(reported, watched);
  return judge(trial, watched);
}

Status Projection::on(const Event&, const ConfigurationEnqueued&) {
  return add_.with("enqueued", 1).run();
}

Status Projection::on(const Event& event, const TrialCreated& fact) {
  if (fact.origin == kEnqueuedOrigin) BETATUNE_CHECK(add_.with("enqueued", -1).run());
  if (fact.origin == kConfirmOrigin) BETATUNE_CHECK(add_.with("confirmations", 1).run());
  const std::optional<std::string> note =
      fact.note.is_null() ? std::nullopt : std::optional(json_text(fact.note));
  const std::string params = json_text(to_json(fact.configuration));
  const double violation = outcomes_.violation(outcomes_.read({}));
  const std::uint64_t first = fact.repeats.value_or(fact.trial).n;
  std::optional<std::uint64_t> parent, replaces;
  std::optional<Step> parent_step;
  if (fact.parent) {
    parent = fact.parent->trial.n;
    parent_step = fact.parent->step;
    if (fact.parent->replaces) replaces = fact.parent->replaces->n;
  }
  return trial_
      .with(fact.trial.n, fact.origin, params, note, event.at_us, violation, first, parent,
            parent_step, replaces)
      .run();
}

Status Projection::on(const Event& event, const AttemptStarted& fact) {
  BETATUNE_CHECK(
      started_.with(fact.trial.n, fact.attempt.n, fact.trainer, fact.from, fact.until, event.at_us)
          .run());
  std::optional<std::string> resumed_from;
  if (fact.checkpoint) resumed_from = fact.checkpoint->uri;
  std::optional<std::int64_t> ranks;
  if (fact.width) ranks = fact.width->ranks;
  const int gpus = gpus_of_attempt(gpus_, ranks);
  return attempt_
      .with(fact.trial.n, fact.attempt.n, fact.trainer, fact.from, fact.until, resumed_from,
            event.at_us, active_us_, gpus, ranks)
      .run();
}

Status Projection::on(const Event& event, const Reported& fact) {
  const std::string metrics = json_text(fact.metrics);
  BETATUNE_CHECK(
      report_
          .with(event.seq, fact.trial.n, fact.attempt.n, fact.step, event.at_us, fact.loss, metrics)
          .run());
  if (!outcomes_.empty()) BETATUNE_CHECK(watch(fact.trial, fact.metrics));
  return reported_.with(fact.trial.n, fact.step, fact.loss, metrics).run();
}

Status Projection::on(const Event&, const ReportConflicted&) {
  return Ok{};
}

Status Projection::on(const Event& event, const CheckpointSaved& fact) {
  const ArtifactRef& saved = fact.artifact;
  BETATUNE_CHECK(saved_
                     .with(event.seq, fact.trial.n, fact.attempt.n, saved.step, saved.uri,
                           static_cast<std::int64_t>(saved.bytes), saved.digest)
                     .run());
  return checkpoint_.with(fact.trial.n, fact.artifact.uri, fact.artifact.step).run();
}

Status Projection::on(const Event&, const Decided& fact) {
  const std::string text =
      fmt::format("{} at step {}: {}", to_name(fact.action), fact.step, fact.reason);
  return decided_.with(fact.trial.n, text, fact.by).run();
}

Status Projection::on(const Event& event, const AttemptEnded& fact) {
  const bool failed = fact.end == AttemptEnd::failed || fact.end == AttemptEnd::lost;
  const std::string_view end = to_name(fact.end);
  const auto message = unless_empty(fact.message);
  std::optional<std::string> failure;
  if (failed) failure = to_name(fact.failure.value_or(FailureClass::infra));
  BETATUNE_CHECK(attempt_ended_
                     .with(fact.trial.n, fact.attempt.n, end, fact.step, failure, message,
                           event.at_us, active_us_)
                     .run());
  if (!failed) return paused_.with(fact.trial.n, fact.step, end, full_budget_).run();
  if (fact.failure == FailureClass::checkpoint) {
    BETATUNE_CHECK(damaged_.with(fact.trial.n, fact.attempt.n).run());
    BETATUNE_CHECK(fall_back_.with(fact.trial.n, fact.attempt.n).run());
  }
  return failed_.with(fact.trial.n, fact.step, failure, message, fact.charged ? 1 : 0).run();
}

Status Projection::on(const Event& event, const TrialClosed& fact) {
  return closed_.with(fact.trial.n, std::string_view(to_name(fact.outcome)), event.at_us).run();
}

Status Projection::on(const Event&, const StudyClosed& fact) {
  return set("closed_reason", fact.reason);
}

}  // namespace betatune::sqlite
