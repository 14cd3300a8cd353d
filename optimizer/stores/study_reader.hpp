#pragma once
/// What reading commands see of a study: its projections, never the whole log, and never a lock
/// that the optimizer would have to wait for.

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/budgets.hpp"
#include "optimizer/event.hpp"
#include "optimizer/repeated.hpp"

namespace betatune {

struct TrialRow {
  std::uint64_t id = 0;
  std::string state;  ///< waiting, running, paused, closed
  std::optional<std::string> outcome;
  std::optional<double> loss;  ///< to be minimised
  /// Of the outcome constraints; 0 if all are met, nothing if one is not known.
  std::optional<double> violation;
  Json watched;  ///< last values of the metrics that they read
  Step step = 0;
  std::string origin;
  std::optional<std::uint64_t> repeats;   ///< the trial whose configuration it trains again
  std::optional<std::uint64_t> parent;    ///< the trial with whose checkpoint it began
  std::optional<Step> parent_step;        ///< of that checkpoint
  std::optional<std::uint64_t> replaces;  ///< the trial that ended for it
  Json params, metrics;
  std::uint64_t attempts = 0;
  std::int64_t failures = 0;
  std::optional<std::string> failure, message, decision, trainer, checkpoint;
  Json note;
  std::int64_t created_at_us = 0;
  std::optional<std::int64_t> started_at_us, ended_at_us;
  std::optional<std::int64_t> work_us;  ///< of all attempts that have ended: pauses left out
};

struct AttemptRow {
  std::uint64_t attempt = 0;
  std::string trainer;
  Step from = 0, until = 0;
  std::optional<std::string> end, failure, message;  ///< no `end`: it runs
  std::optional<Step> step;
  std::int64_t started_at_us = 0;
  std::optional<std::int64_t> ended_at_us;
  /// As Usage counts; of an attempt that runs, by the last event.
  Step trained = 0;
  std::int64_t work_us = 0;
  std::int64_t gpus = 0;
  std::optional<std::int64_t> ranks;  ///< that were chosen for it, and slots that it takes
};

/// Whose attempt it is.
struct TrialOfAttempt {
  std::uint64_t id = 0;
  std::string origin, state;
  std::optional<std::string> outcome;
};

struct ReportRow {
  std::uint64_t attempt = 0;
  Step step = 0;
  std::optional<double> loss;
  Json metrics;
  std::int64_t at_us = 0;
};

/// Numbers of a study as a whole.
struct StudySummary {
  std::string name, seed, build, closed_reason;
  Json document;
  std::uint64_t epoch = 0;
  Sequence events = 0;
  std::int64_t enqueued = 0;
  std::int64_t confirmations = 0;                ///< trials beyond the budget that confirm the best
  std::map<std::string, std::int64_t> by_state;  ///< waiting, running, paused, closed
  std::map<std::string, std::int64_t> by_outcome;  ///< completed, stopped, failed, cancelled
  std::map<std::string, std::int64_t> by_failure;  ///< of failed trials: user, oom ...
  std::int64_t first_at_us = 0, last_at_us = 0, active_us = 0;
  Usage used;
  std::optional<TrialRow> best;
  Repeated best_result;                   ///< what the best trial counts for
  Step best_level = 0;                    ///< of training, that this comes from
  std::optional<std::string> best_model;  ///< newest checkpoint of the trainings behind it
  int optimizer_pid = 0;                  ///< 0 if none runs now on this machine

  std::int64_t trials() const;
};

struct TrialQuery {
  std::string sort =
      "id";  ///< id, loss, step, created, started, ended, duration, or a parameter or metric
  bool descending = false;
  std::optional<std::string> state;  ///< a state or an outcome
  std::int64_t limit = -1;           ///< -1: all
};

class StudyReader {
 public:
  virtual ~StudyReader() = default;
  /// Errors as open_sqlite_store(read_only).
  static Result<std::unique_ptr<StudyReader>> open(const std::filesystem::path& directory);

  virtual Result<StudySummary> summary() = 0;
  /// Calls `each` for every row in order, without holding all of them; false ends it.
  virtual Status trials(const TrialQuery& query,
                        const std::function<bool(const TrialRow&)>& each) = 0;
  virtual Result<std::optional<TrialRow>> trial(TrialId id) = 0;
  virtual Result<std::vector<AttemptRow>> attempts(TrialId id) = 0;
  /// Every attempt of the study by trial, in order; false ends it.
  virtual Status all_attempts(
      const std::function<bool(const TrialOfAttempt&, const AttemptRow&)>& each) = 0;
  virtual Result<std::vector<ReportRow>> reports(TrialId id) = 0;
  /// Every report of the study, in the order of the log; false ends it. `metrics`: whether they are
  /// wanted, which takes most of the time.
  virtual Status all_reports(
      bool metrics, const std::function<bool(std::uint64_t trial, const ReportRow&)>& each) = 0;
  /// Names of all parameters and of all metrics that any trial has, sorted.
  virtual Result<std::vector<std::string>> parameter_names() = 0;
  virtual Result<std::vector<std::string>> metric_names() = 0;
};

}  // namespace betatune
