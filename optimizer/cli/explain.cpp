#include "optimizer/explain.hpp"

#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/decision_text.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/explanation_text.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  std::uint64_t trial = 0;
  bool json = false;
};

struct Explained {
  Explanation choice;
  TrialDecisions decisions;
};

Result<Explained> read(const OpenStudy& study, TrialId trial) {
  BETATUNE_TRY(const auto store, open_sqlite_store(study.place.directory, OpenMode::read_only));
  Explained out;
  BETATUNE_TRY(out.choice, explain(*store, trial));
  BETATUNE_TRY(out.decisions, read_decisions(*store, trial));
  return out;
}

void print(const Explained& it, const std::string& study, const Objective& objective) {
  fmt::print("{}", explanation_text(it.choice, study, objective));
  const std::string decisions = decisions_text(it.decisions, objective);
  if (decisions.empty()) return;
  fmt::print("\nwhat became of it, each decision as it was then (cut: the last that goes on):\n{}",
             decisions);
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto explained = read(*study, TrialId{options.trial});
  if (!explained) return report_error(explained.error(), WorksOn::study);
  const Objective objective = objective_of(study->summary.document);
  const std::string& name = study->summary.name;
  if (!options.json) {
    print(explained.value(), name, objective);
    return exit_codes::kDone;
  }
  Json document = explanation_json(explained.value().choice, name, objective);
  document["decisions"] = decisions_json(explained.value().decisions, objective);
  print_json(document);
  return exit_codes::kDone;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "explain",
      "Why a trial was chosen: what the model believed then, and what it beat; and what the "
      "scheduler decided of it at each rung.\n\n"
      "  betatune explain branin 23\n\n"
      "The log is replayed up to what the searcher knew. Reads only; the study may run.\n");
  add_study_argument(*command, options->study);
  command->add_option("TRIAL", options->trial, "Its number: 0, 1, 2 ...")->required();
  add_json_flag(*command, options->json, "betatune.explain/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
