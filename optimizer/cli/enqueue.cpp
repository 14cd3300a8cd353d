#include <fmt/format.h>

#include "configs/study_spec.hpp"
#include "optimizer/account.hpp"
#include "optimizer/cli/assignments.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/store.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  std::string json_params;
  std::vector<std::string> params;
  bool json = false;
};

Error usage(std::string message) {
  return Error{ErrorKind::invalid_argument, std::move(message)};
}

Result<Configuration> partial_of(const SearchSpace& space, const Options& options) {
  Configuration partial;
  if (!options.json_params.empty()) {
    const Json json = Json::parse(options.json_params, nullptr, false);
    if (!json.is_object()) return usage("--params: expected a JSON object, as '{\"lr\": 0.1}'");
    BETATUNE_TRY(partial, configuration_from_json(json));
  }
  BETATUNE_CHECK(assign(space, "-p", options.params, partial));
  return partial;
}

/// What the study was recorded with: the file beside it may have changed since.
std::optional<StudySpec> recorded_spec(const StudySummary& study, int& exit_code) {
  Json document = study.document;
  // Files beside the study file do not matter here, and are perhaps not to be found from here.
  document["trainer"] = Json{{"external", true}};
  document.erase("launcher");  // has no use beside an external trainer
  Diagnostics diagnostics;
  const auto node = ConfigNode::from_json(document, "the recorded study file");
  StudySpec spec = read_study(node, std::filesystem::current_path(), diagnostics);
  if (diagnostics.ok()) return spec;
  exit_code = report_problems(diagnostics);
  return std::nullopt;
}

/// Where trials begin as copies of others, a configuration has to wait for a place.
bool waits_for_a_place(const StudySpec& spec) {
  Diagnostics diagnostics;
  const auto scheduler = make_scheduler(spec, diagnostics);
  return scheduler != nullptr && scheduler->copies();
}

void say_when(const StudySummary& study, const StudySpec& spec, const StudyPlace& place) {
  const bool runs = study.optimizer_pid != 0;
  if (!runs && !study.closed_reason.empty()) {
    fmt::print(stderr,
               "enqueued, but the study is finished ({}): raise its budget under `stopping` and "
               "`betatune run` it again\n",
               study.closed_reason);
  } else if (waits_for_a_place(spec)) {
    fmt::print(stderr,
               "enqueued: it takes the next place in the population that is free or given away\n");
  } else if (runs) {
    fmt::print(stderr, "enqueued: the running optimizer tries it next\n");
  } else {
    fmt::print(stderr, "enqueued: `betatune run {}` tries it first\n", place.argument);
  }
}

Status enqueue(const StudyPlace& place, const Json& params) {
  BETATUNE_TRY(auto store, open_sqlite_store(place.directory, OpenMode::request_only));
  Json request{{"params", params}};
  if (const auto user = account_name()) request["user"] = *user;
  return store->add_request("enqueue", request);
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  const auto spec = recorded_spec(study->summary, exit_code);
  if (!spec) return exit_code;
  const auto partial = partial_of(spec->space, options);
  if (!partial) return report_error(partial.error(), WorksOn::study);
  const auto complete = spec->space.complete(partial.value());
  if (!complete) return report_error(complete.error(), WorksOn::study);

  const Json params = to_json(complete.value());
  const Status done = enqueue(study->place, params);
  if (!done) return report_error(done.error(), WorksOn::study);
  say_when(study->summary, *spec, study->place);
  if (options.json) {
    print_json(
        Json{{"schema", "betatune.enqueue/1"}, {"study", study->summary.name}, {"params", params}});
  } else {
    fmt::print("{}\n", assignments_text(params));
  }
  return exit_codes::kDone;
}

}  // namespace

void add_enqueue_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("enqueue",
                         "Try a configuration by hand; what is left out takes its default.\n\n"
                         "  betatune enqueue branin -p x=3.1 -p y=2.3\n"
                         "  betatune enqueue branin --params '{\"x\": 3.1, \"y\": 2.3}'\n");
  add_study_argument(*command, options->study);
  command->add_option("-p", options->params, "A parameter's value; may be repeated.")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command->add_option("--params", options->json_params, "Several at once.")->type_name("JSON");
  add_json_flag(*command, options->json, "betatune.enqueue/1");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
