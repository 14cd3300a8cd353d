#include <fmt/format.h>

#include "configs/study_spec.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/front.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/rungs.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/roster_file.hpp"

namespace betatune {
namespace {

std::int64_t count(const std::map<std::string, std::int64_t>& counts, const char* key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

/// What this version can read of it.
StoppingSpec stopping_of(const Json& document) {
  StoppingSpec stopping;
  Diagnostics ignored;
  if (document.contains("stopping")) {
    read_config(ConfigNode::from_json(document.at("stopping"), ""), "stopping", ignored, stopping);
  }
  return stopping;
}

std::string_view state_of(const StudySummary& study) {
  if (!study.closed_reason.empty()) return "finished";
  return study.optimizer_pid != 0 ? "running" : "stopped";
}

/// Of the optimizer that runs now, if one does.
std::optional<SeenRoster> roster_of(const StudySummary& study, const StudyPlace& place) {
  if (study.optimizer_pid == 0) return std::nullopt;
  return read_roster(place.directory);
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
    trials[state] = count(study.by_state, state);
  }
  for (const char* outcome : {"completed", "stopped", "failed", "cancelled"}) {
    trials[outcome] = count(study.by_outcome, outcome);
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

std::string headline(const StudySummary& study, const StudyPlace& place) {
  if (!study.closed_reason.empty()) return "finished (" + study.closed_reason + ")";
  if (study.optimizer_pid != 0) {
    return fmt::format("running (process {})", study.optimizer_pid);
  }
  return fmt::format("stopped; `betatune run {}` goes on with it", place.argument);
}

/// "31 of 60: 28 completed, 1 failed (oom 1), 2 running"
std::string trials_text(const StudySummary& study) {
  const std::optional<std::int64_t> budget = stopping_of(study.document).trials;
  std::string text = budget ? fmt::format("{} of {}", study.trials() - study.confirmations, *budget)
                            : fmt::format("{}", study.trials());
  std::string parts;
  const auto part = [&](std::int64_t number, const char* name) {
    if (number > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", number, name);
  };
  for (const char* name : {"completed", "stopped", "cancelled", "failed"}) {
    part(count(study.by_outcome, name), name);
    if (std::string_view(name) != "failed" || study.by_failure.empty()) continue;
    std::string classes;
    for (const auto& [kind, number] : study.by_failure) {
      classes += fmt::format("{}{} {}", classes.empty() ? "" : ", ", kind, number);
    }
    parts += " (" + classes + ")";
  }
  for (const char* name : {"running", "paused", "waiting"}) part(count(study.by_state, name), name);
  part(study.enqueued, "enqueued");
  part(study.confirmations, "made beside them to confirm the best");
  return parts.empty() ? text : text + ": " + parts;
}

std::string best_text(const StudySummary& study) {
  if (!study.best) return "none yet: no trial has a result";
  const Objective objective = objective_of(study.document);
  const TrialRow& best = *study.best;
  return fmt::format("{} at {} {}{}\n            {}", best_value_text(study, objective),
                     objective.step, best.step,
                     best.violation == 0 ? "" : "; " + limits_text(best, objective),
                     assignments_text(best.params));
}

constexpr std::size_t kTrainersShown = 20;

std::string trainers_text(const SeenRoster& roster) {
  if (roster.trainers.empty()) return "none connected\n";
  int slots = 0;
  std::size_t busy = 0;
  for (const SeenTrainer& each : roster.trainers) {
    slots += each.slots;
    busy += each.trials.size();
  }
  std::string text =
      fmt::format("{} connected, {} of {} slots busy; given up after {} of silence\n",
                  roster.trainers.size(), busy, slots, duration_text(roster.lease_s));
  for (std::size_t i = 0; i < std::min(kTrainersShown, roster.trainers.size()); ++i) {
    const SeenTrainer& each = roster.trainers[i];
    text += fmt::format(
        "            {}: {} slot{}, {}{}, heard {:.1f} s ago\n", each.name, each.slots,
        each.slots == 1 ? "" : "s",
        each.trials.empty() ? "idle" : fmt::format("trial {}", fmt::join(each.trials, ", ")),
        each.leaving ? ", leaving" : "", each.silent_s);
  }
  if (roster.trainers.size() > kTrainersShown) {
    text += fmt::format("            and {} more (--json has all)\n",
                        roster.trainers.size() - kTrainersShown);
  }
  return text;
}

std::string front_text(const ShownFront& shown) {
  if (shown.members.empty()) return "none yet: no completed trial that meets all limits";
  return front_summary(shown.front);
}

/// Each line of `text` in the column of the values, the first one behind `title`; or nothing.
std::string block(const char* title, const std::string& text) {
  std::string out;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    out += fmt::format("{:<12}{}\n", from == 0 ? title : "", text.substr(from, end - from));
    from = end + 1;
  }
  return out;
}

struct ShownStatus {
  std::optional<ShownFront> front;
  std::optional<RungTable> rungs;
};

void print_status(const StudySummary& study, const StudyPlace& place, const ShownStatus& shown) {
  const auto roster = roster_of(study, place);
  fmt::print(
      "study       {} - {}\n"
      "trials      {}\n"
      "{}"
      "best        {}\n"
      "{}"
      "time        {} of work, last change {}\n"
      "folder      {} (seed {}, {} events)\n"
      "{}",
      study.name, headline(study, place), trials_text(study),
      block("budget", budgets_text(budgets_of(stopping_of(study.document), study.used))),
      shown.front ? front_text(*shown.front) : best_text(study),
      shown.rungs ? block("rungs", rungs_text(*shown.rungs, objective_of(study.document))) : "",
      duration_text(static_cast<double>(study.active_us) / 1e6), utc_text(study.last_at_us),
      place.directory.string(), study.seed, study.events,
      roster ? "trainers    " + trainers_text(*roster) : "");
}

int show_status(const OpenStudy& study, bool json) {
  const Objective objective = objective_of(study.summary.document);
  ShownStatus shown;
  if (objective.all.size() > 1) {
    auto found = read_front(*study.reader, objective);
    if (!found) return report_error(found.error(), WorksOn::study);
    shown.front = std::move(found).value();
  }
  auto rungs = read_rungs(*study.reader, study.summary);
  if (!rungs) return report_error(rungs.error(), WorksOn::study);
  shown.rungs = std::move(rungs).value();
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
