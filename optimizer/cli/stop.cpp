#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
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

int stop_study(const StudyPlace& place, const StudySummary& study) {
  if (study.optimizer_pid == 0) {
    fmt::print(stderr, "{}: no optimizer is running, nothing to stop\n", study.name);
    return exit_codes::kDone;
  }
  const Status done = request(place, "drain", Json::object());
  if (!done) return report_error(done.error());
  fmt::print(stderr,
             "{}: asked process {} to let running trials finish and to end; `betatune run {}` goes "
             "on with the study\n",
             study.name, study.optimizer_pid, place.argument);
  return exit_codes::kDone;
}

int stop_trial(const StudyPlace& place, const StudySummary& study, StudyReader& reader,
               TrialId id) {
  const auto trial = reader.trial(id);
  if (!trial) return report_error(trial.error());
  if (!trial.value()) {
    fmt::print(stderr, "error: {} has no trial {}; `betatune trials {}` lists them\n", study.name,
               id.n, place.argument);
    return exit_codes::kUsage;
  }
  if (trial.value()->outcome) {
    fmt::print(stderr, "trial {} has already ended ({})\n", id.n, *trial.value()->outcome);
    return exit_codes::kDone;
  }
  const Status done = request(place, "stop_trial", Json{{"trial", id.n}});
  if (!done) return report_error(done.error());
  fmt::print(stderr, "trial {}: asked to stop{}\n", id.n,
             study.optimizer_pid == 0 ? ", as soon as the study runs again" : "");
  return exit_codes::kDone;
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto place = find_study(options.study, exit_code);
  if (!place) return exit_code;
  const auto reader = open_study(*place, exit_code);
  if (!reader) return exit_code;
  const auto study = reader->summary();
  if (!study) return report_error(study.error());
  if (!options.trial) return stop_study(*place, study.value());
  return stop_trial(*place, study.value(), *reader, TrialId{*options.trial});
}

}  // namespace

void add_stop_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("stop",
                         "End one trial, or let a running study finish what runs and end.\n\n"
                         "  betatune stop branin        as Ctrl-C in its terminal: resumable\n"
                         "  betatune stop branin 12     trial 12 only\n");
  command->add_option("STUDY", options->study, kStudyHelp)->required();
  command->add_option("TRIAL", options->trial, "Its number: 0, 1, 2 ...");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
