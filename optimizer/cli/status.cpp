#include <fmt/format.h>

#include "configs/study_spec.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/status_text.hpp"

namespace betatune {
namespace {

constexpr std::size_t kTrainersShown = 20;

std::string_view state_of(const StudySummary& study) {
  if (!study.closed_reason.empty()) return "finished";
  return study.optimizer_pid != 0 ? "running" : "stopped";
}

Json used_json(const Usage& used) {
  constexpr double kHour_us = 3.6e9;
  return Json{{"gpu_hours", static_cast<double>(used.gpu_us) / kHour_us},
              {"trainer_hours", static_cast<double>(used.trainer_us) / kHour_us},
              {"steps", used.steps}};
}

Json status_json(const StudySummary& study, const StudyPlace& place) {
  const Objective objective = objective_of(study.document);
  const StoppingSpec stopping = stopping_of(study.document);
  const auto roster = roster_of(study, place);
  Json trials{{"total", study.trials()}};
  for (const char* state : {"waiting", "running", "paused"}) {
    trials[state] = count_of(study.by_state, state);
  }
  for (const char* outcome : {"completed", "stopped", "failed", "cancelled"}) {
    trials[outcome] = count_of(study.by_outcome, outcome);
  }
  return Json{
      {"schema", "betatune.status/1"},
      {"study", study.name},
      {"directory", place.directory.string()},
      {"state", state_of(study)},
      {"reason", study.closed_reason.empty() ? Json(nullptr) : Json(study.closed_reason)},
      {"optimizer_pid", study.optimizer_pid == 0 ? Json(nullptr) : Json(study.optimizer_pid)},
      {"objective",
       {{"metric", objective.metric}, {"goal", objective.maximize ? "maximize" : "minimize"}}},
      {"budget",
       {{"trials", or_null(stopping.trials)},
        {"gpu_hours", or_null(stopping.gpu_hours)},
        {"trainer_hours", or_null(stopping.trainer_hours)},
        {"steps", or_null(stopping.steps)}}},
      {"used", used_json(study.used)},
      {"trials", trials},
      {"failures", study.by_failure},
      {"enqueued", study.enqueued},
      {"best", best_trial_json(study, objective)},
      {"roster", roster ? encode_json(*roster) : Json(nullptr)},
      {"seed", study.seed},
      {"epoch", study.epoch},
      {"events", study.events},
      {"started_at", utc_text(study.first_at_us)},
      {"updated_at", utc_text(study.last_at_us)},
      {"active_seconds", static_cast<double>(study.active_us) / 1e6}};
}

void print_status(const StudySummary& study, const StudyPlace& place, const StatusParts& shown) {
  const auto roster = roster_of(study, place);
  const std::string budgets = budgets_text(budgets_of(stopping_of(study.document), study.used));
  fmt::print(
      "study       {} - {}\n"
      "trials      {}\n"
      "{}{}{}"
      "time        {} of work, last change {}\n"
      "folder      {} (seed {}, {} events)\n"
      "{}",
      study.name, headline(study, place), trials_text(study), titled_block("budget", budgets),
      titled_block("best", best_text(study, shown)),
      shown.rungs ? titled_block("rungs", rungs_text(*shown.rungs, objective_of(study.document)))
                  : "",
      duration_text(static_cast<double>(study.active_us) / 1e6), utc_text(study.last_at_us),
      place.directory.string(), study.seed, study.events,
      roster ? titled_block("trainers", trainers_text(*roster, kTrainersShown)) : "");
}

int show_status(const OpenStudy& study, bool json) {
  const Objective objective = objective_of(study.summary.document);
  const auto read = read_status_parts(*study.reader, study.summary);
  if (!read) return report_error(read.error(), WorksOn::study);
  const StatusParts& shown = read.value();
  if (!json) {
    print_status(study.summary, study.place, shown);
    return exit_codes::kDone;
  }
  Json document = status_json(study.summary, study.place);
  document["rungs"] = shown.rungs ? rungs_json(*shown.rungs, objective) : Json(nullptr);
  if (shown.front) {
    document["objectives"] = encode_json(objective.all);
    document["front"] = {{"trials", shown.front->members.size()},
                         {"hypervolume", shown.front->front.hypervolume}};
  }
  print_json(document);
  return exit_codes::kDone;
}

}  // namespace

void add_status_command(CLI::App& app, int& exit_code) {
  add_showing_command(
      app, exit_code, "status",
      "How far a study is.\n\n  betatune status runs/branin\n  betatune status branin --json\n",
      show_status);
}

}  // namespace betatune
