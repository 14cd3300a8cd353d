#include <filesystem>
#include <fmt/format.h>
#include <optional>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/cli/study_description.hpp"
#include "optimizer/earlier_study.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {
namespace {

struct CheckOptions {
  std::string study;
  bool json = false;
};

Json problem_json(const Diagnostic& problem) {
  Json json = {{"code", problem.code}, {"message", problem.message}, {"file", problem.mark.file}};
  if (problem.mark.line > 0) {
    json["line"] = problem.mark.line;
    json["column"] = problem.mark.column;
  }
  if (!problem.help.empty()) json["help"] = problem.help;
  return json;
}

void check_launcher(const StudySpec& spec, const ConfigNode& root, Diagnostics& diagnostics) {
  if (spec.trainer.external.value_or(false)) return;
  const ConfigNode* section = root.find("launcher");
  const ConfigNode* name = section == nullptr ? nullptr : section->find("name");
  find_launcher(spec, name == nullptr ? root.mark() : name->mark(), diagnostics);
}

// The searcher and the scheduler are made and let go: their makers read their options.
void check_policies(const StudySpec& spec, const ConfigNode& root, Diagnostics& diagnostics) {
  make_searcher(spec, diagnostics);
  make_scheduler(spec, diagnostics);
  check_launcher(spec, root, diagnostics);
  read_earlier_studies(spec, StudyState{}, diagnostics);
}

int print_problems(const CheckOptions& options, const Diagnostics& diagnostics) {
  const std::size_t count = diagnostics.problems().size() + diagnostics.dropped();
  if (options.json) {
    Json problems = Json::array();
    for (const Diagnostic& each : diagnostics.problems()) problems.push_back(problem_json(each));
    const Json json = {{"schema", "betatune.check/1"},
                       {"ok", false},
                       {"problems", problems},
                       {"problem_count", count}};
    print_json(json);
  } else {
    report_problems(diagnostics);
    fmt::print(stderr, "{}: {} problem{}\n", options.study, count, count == 1 ? "" : "s");
  }
  return exit_codes::kInvalidConfig;
}

// A study file; or, for a study that has started, the document that its log recorded.
std::optional<ConfigNode> find_document(const std::string& argument, Diagnostics& diagnostics,
                                        int& exit_code) {
  std::error_code error;
  const bool started = std::filesystem::is_directory(argument, error) ||
                       (!std::filesystem::exists(argument, error) &&
                        std::filesystem::is_directory("runs/" + argument, error));
  if (!started) return ConfigNode::load(argument, diagnostics);
  const auto study = open_study(argument, exit_code);
  if (!study) return std::nullopt;
  return ConfigNode::from_json(study->summary.document, argument);
}

int check(const CheckOptions& options) {
  Diagnostics diagnostics;
  int exit_code = exit_codes::kDone;
  const auto root = find_document(options.study, diagnostics, exit_code);
  if (!root) return exit_code;
  StudySpec spec;
  if (!root->is_null()) {
    spec = read_study(*root, std::filesystem::path(options.study).parent_path(), diagnostics);
  }
  // What the policies say of a space that could not be read would be noise.
  if (diagnostics.ok()) check_policies(spec, *root, diagnostics);
  if (!diagnostics.ok()) return print_problems(options, diagnostics);
  if (options.json) {
    print_json(description_json(spec));
  } else {
    fmt::print("{}: no problems\n\n{}", options.study, description_text(spec));
  }
  return exit_codes::kDone;
}

}  // namespace

void add_check_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "check",
      "Validate a study file; show the space and three draws from it. Changes nothing.\n\n"
      "  betatune check study.yaml");
  auto options = std::make_shared<CheckOptions>();
  add_study_argument(*command, options->study);
  add_json_flag(*command, options->json, "betatune.check/1");
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace betatune
