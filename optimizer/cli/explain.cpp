#include "optimizer/explain.hpp"

#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
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

Result<Explanation> read(const OpenStudy& study, TrialId trial) {
  BETATUNE_TRY(const auto store, open_sqlite_store(study.place.directory, OpenMode::read_only));
  return explain(*store, trial);
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto explanation = read(*study, TrialId{options.trial});
  if (!explanation) return report_error(explanation.error(), WorksOn::study);
  const Objective objective = objective_of(study->summary.document);
  if (options.json) {
    print_json(explanation_json(explanation.value(), study->summary.name, objective));
  } else {
    fmt::print("{}", explanation_text(explanation.value(), study->summary.name, objective));
  }
  return exit_codes::kDone;
}

}  // namespace

void add_explain_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "explain",
      "Why a trial was chosen: what the model believed then, and what it beat.\n\n"
      "  betatune explain branin 23\n\n"
      "The log is replayed up to what the searcher knew. Reads only; the study may run.\n");
  add_study_argument(*command, options->study);
  command->add_option("TRIAL", options->trial, "Its number: 0, 1, 2 ...")->required();
  add_json_flag(*command, options->json, "betatune.explain/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
