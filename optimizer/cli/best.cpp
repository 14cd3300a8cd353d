#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"

namespace betatune {
namespace {

Json best_json(const StudySummary& study, const StudyPlace& place) {
  const Objective objective = objective_of(study.document);
  Json best = nullptr;
  Json model = nullptr;
  if (study.best) {
    best = trial_json(*study.best, objective);
    if (study.best->checkpoint) model = (place.directory / *study.best->checkpoint).string();
  }
  return Json{
      {"schema", "betatune.best/1"},
      {"study", study.name},
      {"objective",
       {{"metric", objective.metric}, {"goal", objective.maximize ? "maximize" : "minimize"}}},
      {"best", best},
      {"model", model}};
}

std::string value_text(const Json& value) {
  if (value.is_number_float()) return fmt::format("{}", value.get<double>());
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void print_best(const StudySummary& study, const StudyPlace& place) {
  const Objective objective = objective_of(study.document);
  const TrialRow& best = *study.best;
  fmt::print("trial {}: {} = {} at {} {}\n", best.id, objective.metric,
             short_number(objective.value(*best.loss)), objective.step, best.step);
  fmt::print("\nconfiguration\n");
  for (const auto& [name, value] : best.params.items()) {
    fmt::print("  {}: {}\n", name, value_text(value));
  }
  fmt::print("\nmetrics\n");
  for (const auto& [name, value] : best.metrics.items()) {
    fmt::print("  {}: {}\n", name, value_text(value));
  }
  if (best.checkpoint) {
    fmt::print("\nmodel\n  {}\n", (place.directory / *best.checkpoint).string());
  }
}

int run(const std::string& argument, bool json) {
  int exit_code = exit_codes::kDone;
  const auto place = find_study(argument, exit_code);
  if (!place) return exit_code;
  const auto reader = open_study(*place, exit_code);
  if (!reader) return exit_code;
  const auto study = reader->summary();
  if (!study) return report_error(study.error());
  if (json) {
    print_json(best_json(study.value(), *place));
  } else if (study.value().best) {
    print_best(study.value(), *place);
  } else {
    fmt::print(stderr, "{}: no trial has a result yet ({} trials so far)\n", study.value().name,
               study.value().trials());
  }
  return exit_codes::kDone;
}

}  // namespace

void add_best_command(CLI::App& app, int& exit_code) {
  struct Options {
    std::string study;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "best",
      "The best trial: its configuration, metrics and model.\n\n  betatune best fashion-mnist\n");
  command->add_option("STUDY", options->study, kStudyHelp)->required();
  command->add_flag("--json", options->json, "Print a JSON object (betatune.best/1).");
  command->callback([options, &exit_code] { exit_code = run(options->study, options->json); });
}

}  // namespace betatune
