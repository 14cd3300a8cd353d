#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "optimizer/store.hpp"

namespace betatune {
namespace {

struct Options {
  std::string study;
  std::optional<std::uint64_t> trial;
};

Status request(const StudyPlace& place, const std::string& kind, const Json& body) {
  BETATUNE_TRY(auto store, open_sqlite_store(place.directory, OpenMode::request_only));
  return store->add_request(kind, body);
}

int stop_study(const OpenStudy& open) {
  const StudySummary& study = open.summary;
  if (study.optimizer_pid == 0) {
    fmt::print(stderr, "{}: no optimizer is running, nothing to stop\n", study.name);
    return exit_codes::kDone;
  }
  const Status done = request(open.place, "drain", Json::object());
  if (!done) return report_error(done.error(), WorksOn::study);
  fmt::print(stderr,
             "{}: asked process {} to let running trials finish and to end; `betatune run {}` goes "
             "on with the study\n",
             study.name, study.optimizer_pid, open.place.argument);
  return exit_codes::kDone;
}

int stop_trial(const OpenStudy& open, TrialId id) {
  const StudySummary& study = open.summary;
  const auto trial = open.reader->trial(id);
  if (!trial) return report_error(trial.error(), WorksOn::study);
  if (!trial.value()) {
    fmt::print(stderr, "error: {} has no trial {}; `betatune trials {}` lists them\n", study.name,
               id.n, open.place.argument);
    return exit_codes::kUsage;
  }
  if (trial.value()->outcome) {
    fmt::print(stderr, "trial {} has already ended ({})\n", id.n, *trial.value()->outcome);
    return exit_codes::kDone;
  }
  const Status done = request(open.place, "stop_trial", Json{{"trial", id.n}});
  if (!done) return report_error(done.error(), WorksOn::study);
  fmt::print(stderr, "trial {}: asked to stop{}\n", id.n,
             study.optimizer_pid == 0 ? ", as soon as the study runs again" : "");
  return exit_codes::kDone;
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  return options.trial ? stop_trial(*study, TrialId{*options.trial}) : stop_study(*study);
}

}  // namespace

void add_stop_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("stop",
                         "End one trial, or let a running study finish what runs and end.\n\n"
                         "  betatune stop branin        as Ctrl-C in its terminal: resumable\n"
                         "  betatune stop branin 12     trial 12 only\n");
  add_study_argument(*command, options->study);
  command->add_option("TRIAL", options->trial, "Its number: 0, 1, 2 ...");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
