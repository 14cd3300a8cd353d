#include <algorithm>
#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/rungs.hpp"
#include "optimizer/cli/schedule.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/expected_curve.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  std::uint64_t trial = 0;
  bool json = false;
};

struct Shown {
  TrialRow trial;
  std::vector<AttemptRow> attempts;
  std::vector<ReportRow> reports;
  std::optional<std::uint64_t> replaced_by;  ///< the trial that took its place
  std::optional<RungTable> rungs;
  std::vector<ExpectedPoint> expected;  ///< of the curve beyond the reports
  std::vector<Stretch> schedule;        ///< that led to it, the trial itself included
};

Json expected_json(const std::vector<ExpectedPoint>& expected, const Objective& objective) {
  Json all = Json::array();
  for (const ExpectedPoint& each : expected) {
    const double a = objective.value(each.loss_low), b = objective.value(each.loss_high);
    all.push_back({{"step", each.step},
                   {"value", objective.value(each.loss)},
                   {"low", std::min(a, b)},
                   {"high", std::max(a, b)},
                   {"trials", each.trials}});
  }
  return all;
}

Json show_json(const Shown& shown, const StudySummary& study) {
  Json attempts = Json::array();
  for (const AttemptRow& row : shown.attempts) {
    attempts.push_back({{"attempt", row.attempt},
                        {"trainer", row.trainer},
                        {"from", row.from},
                        {"until", row.until},
                        {"gpus", row.gpus},
                        {"ranks", or_null(row.ranks)},
                        {"outcome", or_null(row.end)},
                        {"step", or_null(row.step)},
                        {"failure", or_null(row.failure)},
                        {"message", or_null(row.message)},
                        {"started_at", utc_text(row.started_at_us)},
                        {"ended_at", row.ended_at_us ? Json(utc_text(*row.ended_at_us)) : Json()}});
  }
  Json reports = Json::array();
  for (const ReportRow& row : shown.reports) {
    reports.push_back({{"attempt", row.attempt},
                       {"step", row.step},
                       {"loss", or_null(row.loss)},
                       {"metrics", row.metrics},
                       {"at", utc_text(row.at_us)}});
  }
  const Objective objective = objective_of(study.document);
  Json trial = trial_json(shown.trial, objective);
  trial["schema"] = "betatune.show/1";
  trial["study"] = study.name;
  trial["attempt_list"] = std::move(attempts);
  trial["reports"] = std::move(reports);
  trial["rungs"] = shown.rungs ? visits_json(*shown.rungs, shown.trial, objective) : Json(nullptr);
  trial["expected"] = expected_json(shown.expected, objective);
  trial["schedule"] = schedule_json(shown.schedule);
  trial["replaced_by"] = or_null(shown.replaced_by);
  return trial;
}

void print_attempts(const Shown& shown, const Objective& objective) {
  if (shown.attempts.empty()) return;
  std::vector<std::string> header = {"attempt", "trainer",      "from",    "until",
                                     "end",     objective.step, "seconds", "message"};
  // Where widths change, each attempt has its own.
  const bool chosen = std::ranges::any_of(
      shown.attempts, [](const AttemptRow& row) { return row.ranks.has_value(); });
  if (chosen) header.insert(header.begin() + 2, "ranks");
  Table table(std::move(header));
  for (const AttemptRow& row : shown.attempts) {
    const std::string end = row.end ? *row.end : "running";
    std::vector<std::string> cells = {
        std::to_string(row.attempt),
        row.trainer,
        std::to_string(row.from),
        std::to_string(row.until),
        row.failure ? end + ": " + *row.failure : end,
        row.step ? std::to_string(*row.step) : "-",
        row.end ? fmt::format("{:.1f}", static_cast<double>(row.work_us) / 1e6) : "-",
        row.message.value_or("")};
    if (chosen) cells.insert(cells.begin() + 2, row.ranks ? std::to_string(*row.ranks) : "-");
    table.add(std::move(cells));
  }
  fmt::print("\n{}", table.text());
}

/// The curve, with a line where the trial came to a rung.
void print_reports(const Shown& shown, const Objective& objective) {
  if (shown.reports.empty()) return;
  Table table({"attempt", objective.step, objective.metric, "metrics"});
  for (const ReportRow& row : shown.reports) {
    table.add({std::to_string(row.attempt), std::to_string(row.step),
               row.loss ? short_number(objective.value(*row.loss)) : "-",
               assignments_text(row.metrics)});
  }
  std::vector<std::string> lines = table.lines();
  auto visits = shown.rungs ? shown.rungs->of(shown.trial.id) : std::vector<RungVisit>();
  std::ranges::reverse(visits);  // a line that is put in moves those behind it
  for (const RungVisit& visit : visits) {
    const auto behind = static_cast<std::ptrdiff_t>(visit.reports) + 1;  // the first is the header
    lines.insert(lines.begin() + behind, "-- " + visit_text(visit, *shown.rungs, shown.trial,
                                                            shown.replaced_by, objective));
  }
  fmt::print("\n{}\n", fmt::join(lines, "\n"));
  if (!visits.empty() && shown.rungs->plan().brackets) {
    fmt::print("(places are among the trials of all brackets)\n");
  }
}

/// How the curve is expected to go on, apart from what was measured.
void print_expected(const Shown& shown, const Objective& objective) {
  if (shown.expected.empty()) return;
  Table table({"expected", objective.step, objective.metric, "one deviation", "learned from"});
  for (const ExpectedPoint& each : shown.expected) {
    const double a = objective.value(each.loss_low), b = objective.value(each.loss_high);
    table.add({"  ~", std::to_string(each.step), "~ " + short_number(objective.value(each.loss)),
               fmt::format("{} to {}", short_number(std::min(a, b)), short_number(std::max(a, b))),
               fmt::format("{} trial{}", each.trials, each.trials == 1 ? "" : "s")});
  }
  fmt::print("\n{}", table.text());
}

void print_shown(const Shown& shown, const StudySummary& study, const StudyPlace& place) {
  const Objective objective = objective_of(study.document);
  const TrialRow& trial = shown.trial;
  fmt::print("trial {} of {}: {}", trial.id, study.name, state_text(trial));
  if (trial.loss) {
    fmt::print(", {} = {}", objective.metric, short_number(objective.value(*trial.loss)));
  }
  if (!objective.outcomes.constraints().empty()) {
    fmt::print("\n  outcome constraints: {}", limits_text(trial, objective));
  }
  fmt::print("\n  suggested by {}, {}\n", trial.origin, utc_text(trial.created_at_us));
  if (trial.parent) {
    const std::string ended =
        trial.replaces ? fmt::format(", in place of trial {}", *trial.replaces) : std::string();
    fmt::print("  began from trial {} at {} {}{}\n", *trial.parent, objective.step,
               trial.parent_step.value_or(0), ended);
  }
  if (trial.failure) {
    fmt::print("  last failure: {}{}\n", *trial.failure,
               trial.message ? ": " + *trial.message : std::string());
  }
  if (trial.decision) fmt::print("  decision: {}\n", *trial.decision);
  if (trial.checkpoint) {
    fmt::print("  checkpoint: {}\n", (place.directory / *trial.checkpoint).string());
  }
  print_section("configuration", trial.params);
  if (shown.schedule.size() > 1) {
    fmt::print("\nschedule\n{}", schedule_text(shown.schedule, objective.step));
  }
  print_section("why this one", trial.note);
  print_attempts(shown, objective);
  print_reports(shown, objective);
  print_expected(shown, objective);
}

/// The model needs the whole log: it is read only where there is something to expect.
Result<std::vector<ExpectedPoint>> read_expected(const OpenStudy& study, const Shown& shown) {
  const bool may_go_on = study.summary.document.contains("fidelity") && !shown.reports.empty();
  if (!may_go_on || shown.trial.outcome == "completed") return std::vector<ExpectedPoint>();
  BETATUNE_TRY(const auto store, open_sqlite_store(study.place.directory, OpenMode::read_only));
  auto expected = read_expected_curve(*store, TrialId{shown.trial.id});
  // A study file of another version: everything else can be shown.
  const bool unreadable = !expected && expected.error().kind == ErrorKind::invalid_argument;
  return unreadable ? std::vector<ExpectedPoint>() : std::move(expected);
}

Result<Shown> read(const OpenStudy& opened, TrialId id) {
  StudyReader& reader = *opened.reader;
  const StudySummary& study = opened.summary;
  BETATUNE_TRY(auto trial, reader.trial(id));
  if (!trial) {
    return Error{ErrorKind::invalid_argument,
                 study.trials() == 0 ? fmt::format("{} has no trials yet", study.name)
                                     : fmt::format("{} has no trial {}; its trials are 0 to {}",
                                                   study.name, id.n, study.trials() - 1)};
  }
  Shown shown;
  shown.trial = std::move(*trial);
  BETATUNE_TRY(const auto replacements, read_replacements(reader, study));
  const auto replaced = replacements.find(id.n);
  if (replaced != replacements.end()) shown.replaced_by = replaced->second;
  BETATUNE_TRY(shown.attempts, reader.attempts(id));
  BETATUNE_TRY(shown.reports, reader.reports(id));
  BETATUNE_TRY(shown.rungs, read_rungs(reader, study));
  BETATUNE_TRY(shown.expected, read_expected(opened, shown));
  BETATUNE_TRY(shown.schedule, read_schedule(reader, shown.trial));
  return shown;
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto shown = read(*study, TrialId{options.trial});
  if (!shown) return report_error(shown.error(), WorksOn::study);
  options.json ? print_json(show_json(shown.value(), study->summary))
               : print_shown(shown.value(), study->summary, study->place);
  return exit_codes::kDone;
}

}  // namespace

void add_show_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("show",
                                         "Everything about one trial: configuration, attempts, "
                                         "reports.\n\n  betatune show branin 12\n");
  add_study_argument(*command, options->study);
  command->add_option("TRIAL", options->trial, "Its number: 0, 1, 2 ...")->required();
  add_json_flag(*command, options->json, "betatune.show/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
