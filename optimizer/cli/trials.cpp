#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "configs/node.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  TrialQuery query;
  std::string state;
  bool json = false;
};

constexpr std::array<const char*, 8> kSortKeys{"id",      "loss",    "violation", "step",
                                               "created", "started", "ended",     "duration"};
constexpr std::array<const char*, 8> kStates{"waiting",   "running", "paused", "closed",
                                             "completed", "stopped", "failed", "cancelled"};

/// A sort key is a column, a parameter or a metric; anything else is a mistake to be told.
bool check_sort(StudyReader& reader, const std::string& sort) {
  std::vector<std::string> names(kSortKeys.begin(), kSortKeys.end());
  if (std::find(names.begin(), names.end(), sort) != names.end()) return true;
  const auto parameters = reader.parameter_names();
  const auto metrics = reader.metric_names();
  if (parameters) names.insert(names.end(), parameters.value().begin(), parameters.value().end());
  if (metrics) names.insert(names.end(), metrics.value().begin(), metrics.value().end());
  if (std::find(names.begin(), names.end(), sort) != names.end()) return true;
  const std::string near = closest(sort, names);
  fmt::print(stderr, "error: --sort {}: no such column, parameter or metric\n  {}\n", sort,
             near.empty() ? fmt::format("one of: {}", fmt::join(names, ", "))
                          : fmt::format("did you mean `{}`?", near));
  return false;
}

Status print_table(StudyReader& reader, const TrialQuery& query, const Objective& objective) {
  const bool limited = !objective.outcomes.constraints().empty();
  std::vector<std::string> header = {"id", "state"};
  for (const ObjectiveSpec& each : objective.all) header.push_back(each.metric);
  if (limited) header.emplace_back("limits");
  for (const std::string& each :
       {objective.step, std::string("seconds"), std::string("origin"), std::string("parameters")}) {
    header.push_back(each);
  }
  Table table(std::move(header));
  const auto add = [&](const TrialRow& trial) {
    const auto seconds = seconds_of(trial);
    std::vector<std::string> row = {std::to_string(trial.id),
                                    trial.failure && trial.outcome == "failed"
                                        ? "failed: " + *trial.failure
                                        : state_text(trial),
                                    trial.loss ? short_number(objective.value(*trial.loss)) : "-"};
    for (std::size_t j = 1; j < objective.all.size(); ++j) {
      const auto found = trial.watched.find(objective.all[j].metric);
      row.push_back(found == trial.watched.end() ? "-" : short_number(found->get<double>()));
    }
    if (limited) row.push_back(limits_text(trial, objective));
    row.push_back(std::to_string(trial.step));
    row.push_back(seconds ? fmt::format("{:.1f}", *seconds) : "-");
    row.push_back(trial.origin);
    row.push_back(assignments_text(trial.params));
    table.add(std::move(row));
    return true;
  };
  BETATUNE_CHECK(reader.trials(query, add));
  fmt::print("{}", table.text());
  return Ok{};
}

Status print_trials_json(StudyReader& reader, const TrialQuery& query, const StudySummary& study) {
  const Objective objective = objective_of(study.document);
  Json trials = Json::array();
  BETATUNE_CHECK(reader.trials(query, [&](const TrialRow& trial) {
    trials.push_back(trial_json(trial, objective));
    return true;
  }));
  print_json(Json{{"schema", "betatune.trials/1"}, {"study", study.name}, {"trials", trials}});
  return Ok{};
}

int run(Options options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  StudyReader& reader = *study->reader;
  if (!check_sort(reader, options.query.sort)) return exit_codes::kUsage;
  if (!options.state.empty()) options.query.state = options.state;
  const Status done =
      options.json ? print_trials_json(reader, options.query, study->summary)
                   : print_table(reader, options.query, objective_of(study->summary.document));
  return done ? exit_codes::kDone : report_error(done.error(), WorksOn::study);
}

}  // namespace

void add_trials_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("trials",
                                         "The trials of a study.\n\n"
                                         "  betatune trials branin --sort loss --limit 5\n"
                                         "  betatune trials branin --state failed --json\n");
  add_study_argument(*command, options->study);
  command->add_option(
      "--sort", options->query.sort,
      "id, loss, violation, step, created, started, ended, duration, or the name of a "
      "parameter or metric; smallest first, trials without a value last.");
  command->add_flag("--reverse", options->query.descending, "Largest first.");
  command->add_option("--limit", options->query.limit, "At most so many.")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 62));
  command->add_option("--state", options->state, "Only trials in this state, or of this outcome.")
      ->check(CLI::IsMember(std::vector<std::string>(kStates.begin(), kStates.end())));
  add_json_flag(*command, options->json, "betatune.trials/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
