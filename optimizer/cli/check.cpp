#include "optimizer/cli/check.hpp"

#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/study_description.hpp"
#include "optimizer/cli/terminal.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {
namespace {

struct CheckOptions {
  std::string file;
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
  const std::string& name = spec.launcher.name;
  if (spec.trainer.external.value_or(false) || LauncherRegistry::find(name) != nullptr) return;
  std::vector<std::string> names;
  std::string known;
  for (const auto& [each, summary] : LauncherRegistry::list()) {
    names.push_back(each);
    known += (known.empty() ? "one of: " : ", ") + each;
  }
  const std::string near = closest(name, names);
  const ConfigNode* section = root.find("launcher");
  const ConfigNode* place = section == nullptr ? nullptr : section->find("name");
  diagnostics.error("E0601", "unknown launcher `" + name + "`",
                    place == nullptr ? root.mark() : place->mark(),
                    near.empty() ? known : "did you mean `" + near + "`?");
}

// The searcher and the scheduler are made and let go: their makers read their options.
void check_policies(const StudySpec& spec, const ConfigNode& root, Diagnostics& diagnostics) {
  make_searcher(spec, diagnostics);
  make_scheduler(spec, diagnostics);
  check_launcher(spec, root, diagnostics);
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
    fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print(stderr, "{}{}: {} problem{}\n", diagnostics.render(wants_color(STDERR_FILENO)),
               options.file, count, count == 1 ? "" : "s");
  }
  return exit_codes::kInvalidConfig;
}

int check(const CheckOptions& options) {
  Diagnostics diagnostics;
  const std::filesystem::path path = options.file;
  const ConfigNode root = ConfigNode::load(path, diagnostics);
  StudySpec spec;
  if (!root.is_null()) spec = read_study(root, path.parent_path(), diagnostics);
  // What the policies say of a space that could not be read would be noise.
  if (diagnostics.ok()) check_policies(spec, root, diagnostics);
  if (!diagnostics.ok()) return print_problems(options, diagnostics);
  if (options.json) {
    fmt::print("{}\n", description_json(spec).dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}: no problems\n\n{}", options.file, description_text(spec));
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
  command->add_option("study", options->file, "The study file.")->required();
  command->add_flag("--json", options->json, "Print a JSON object.");
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace betatune
