/// `betatune run study.yaml`: starts a study, or goes on with it, and ends with the best it found.

#include <fmt/format.h>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/front.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/serve_session.hpp"
#include "optimizer/launchers/trainer_program.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/progress.hpp"
#include "optimizer/standings.hpp"
#include "searchspaces/log.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

struct RunOptions {
  std::string file;
  std::optional<int> trainers;
  std::optional<std::string> bind;
  bool fresh = false;
  bool accept_changes = false;
  ServeOptions serve;
};

int fail(const Error& error) {
  return report_error(error, WorksOn::study_file);
}

int exit_code_of_end(const std::string& reason) {
  if (reason == "failures") return exit_codes::kTooManyFailures;
  for (const char* limit : {"wall_time", "gpu_hours", "trainer_hours", "steps"}) {
    if (reason == limit) return exit_codes::kLimitReached;
  }
  if (reason == "drained") return exit_codes::kDrained;
  if (reason == "cancelled") return exit_codes::kHardStop;
  if (reason == "no_trainer") return exit_codes::kNoTrainer;
  return exit_codes::kDone;
}

const char* way_on_after(const std::string& reason) {
  if (reason == "drained" || reason == "cancelled" || reason == "no_trainer") return "continue:";
  if (reason == "no_gain") return "more:     lower `stopping.no_gain.below` in the file, then";
  return "more:     raise `stopping:` in the file, then";
}

void print_front(FILE* out, const StudySpec& spec, const StudyState& state) {
  const StudyFront front = front_of(spec.objectives, state);
  if (front.members.empty()) return;
  fmt::print(out, "\nfront: {}\n", front_summary(front));
  for (const std::size_t id : front.members) {
    const Trial& trial = state.trials[TrialId{id}];
    fmt::print(out, "  trial {}: {}\n", id,
               values_text(spec.objectives, state.outcomes.losses(*trial.loss, trial.outcomes)));
  }
}

/// How far, where that differs between trials.
std::string trained_text(const StudySpec& spec, const Trial& trial) {
  if (!spec.fidelity || !trial.standing) return {};
  return " at " + level_text(spec.fidelity->name, trial.standing->level, spec.fidelity->max);
}

void print_summary(const StudySession& session, const RunOptions& options,
                   const std::string& reason) {
  const StudyState& state = session.coordinator->state();
  const StudySpec& spec = *session.spec;
  FILE* out = options.serve.json ? stderr : stdout;
  fmt::print(out, "\n{} of {} trials done", state.closed_count(), state.trials.size());
  for (const auto& [outcome, count] : state.closed)
    fmt::print(out, ", {} {}", count, to_name(outcome));
  fmt::print(out, "; {} of work\n", duration_text(static_cast<double>(state.active_us) / 1e6));
  if (spec.objectives.size() > 1) {
    print_front(out, spec, state);
  } else if (state.best) {
    const Trial& best = state.trials[*state.best];
    const double loss = best.standing ? best.standing->loss : *best.loss;
    fmt::print(out, "\nbest: trial {}, {} = {}{}{}\n", best.id.n, spec.objective.metric,
               short_number(objective_value(spec, loss)),
               repeated_result(state.trials, best).text(), trained_text(spec, best));
    const std::vector<std::string> broken = state.outcomes.broken(best.outcomes);
    if (!broken.empty()) {
      fmt::print(out, "  no trial met the outcome constraints; it breaks {}\n",
                 fmt::join(broken, ", "));
    }
    for (const auto& [name, value] : *best.configuration) {
      fmt::print(out, "  {}: {}\n", name, to_text(value));
    }
    for (const auto& [name, number] : best.last_metrics) {
      if (name != spec.objective.metric) fmt::print(out, "  ({} = {:.6g})\n", name, number);
    }
    for (const TrialId id : trials_behind(state.trials, best)) {
      const auto& checkpoint = state.trials[id].checkpoint;
      if (!checkpoint) continue;
      fmt::print(out, "model:    {}\n", (session.directory / checkpoint->uri).string());
      break;
    }
  }
  fmt::print(out, "study:    {}\n", (session.directory / "study.db").string());
  if (reason == "failures") return;  // what to do then is told beside the error
  fmt::print(out, "{} betatune run {}\n", way_on_after(reason), options.file);
}

/// The file as it was run, beside the results.
void keep_copy(const std::string& file, const fs::path& directory) {
  std::error_code failed;
  if (fs::equivalent(file, directory / "study.yaml", failed)) return;
  failed.clear();
  fs::copy_file(file, directory / "study.yaml", fs::copy_options::overwrite_existing, failed);
  if (failed) log().warn("cannot copy {} to {}: {}", file, directory.string(), failed.message());
}

/// The exit code of a study that ended with `exit_code`, and why it failed where it did.
int judge_failures(const StudySession& session, const RunOptions& options, int exit_code) {
  const StudyState& state = session.coordinator->state();
  const bool limit = exit_code == exit_codes::kTooManyFailures;
  const bool all = exit_code == exit_codes::kDone && state.failed_count() > 0 && !state.best;
  if (!limit && !all) return exit_code;
  fmt::print(
      stderr, "error: {}; what went wrong:  betatune trials {} --state failed\n",
      limit ? fmt::format("{} trials failed, the limit is trials.max_failed", state.failed_count())
            : "every trial failed",
      options.file);
  if (limit) {
    fmt::print(stderr, "to go on, raise that limit, then  betatune run {} --accept-changes\n",
               options.file);
  }
  return exit_codes::kTooManyFailures;
}

bool is_finished(const StudySession& session) {
  const StudyState& state = session.coordinator->state();
  const auto& stopping = session.spec->stopping;
  return state.closed_reason && *state.closed_reason == "trials" && session.changes.empty() &&
         stopping.trials && state.closed_count() >= *stopping.trials && state.enqueued.empty();
}

int run(const RunOptions& options) {
  Diagnostics diagnostics;
  StudySpec loaded = load_study(options.file, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  if (options.trainers) loaded.launcher.trainers = options.trainers;
  if (options.bind) loaded.server.bind = *options.bind;
  raise_descriptor_limit();
  const auto spec = std::make_shared<const StudySpec>(std::move(loaded));
  const auto launcher = make_launcher(*spec, options.file, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  if (const Status fits = check_assignable(*spec); !fits) return fail(fits.error());

  const fs::path directory = study_directory(*spec);
  if (options.fresh) {
    // Before the socket's folder is made in the new one.
    const auto aside = set_study_aside(directory);
    if (!aside) return fail(aside.error());
    if (!aside.value().empty()) {
      fmt::print(stderr, "the earlier study is now in {}\n", aside.value().string());
    }
  }
  const auto bind = resolve_bind(spec->server.bind, directory, spec->server.keys.has_value());
  if (!bind) return fail(bind.error());
  const auto keys = keys_for(*spec, bind.value());
  if (!keys) return fail(keys.error());
  SessionOptions settings;
  settings.token = bind.value().token;
  // Our own trainers die with the optimizer that started them: none has survived to re-join.
  if (launcher != nullptr) settings.launched_before = kLaunchedPrefix;
  auto session = open_session(spec, options.file, settings, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  if (!session) return fail(session.error());
  if (!session.value().changes.empty() && !options.accept_changes) {
    return report_changes(session.value().changes, options.file, "run");
  }
  keep_copy(options.file, directory);
  if (is_finished(session.value())) {
    fmt::print(stderr, "this study is finished: its {} trials are done\n", *spec->stopping.trials);
    print_summary(session.value(), options, "trials");
    return judge_failures(session.value(), options, exit_codes::kDone);
  }
  if (launcher != nullptr && spec->trainer.plugin) {
    // Found out now, not by every trial of the budget.
    if (const Status usable = check_plugin(*spec->trainer.plugin); !usable) {
      return fail(usable.error());
    }
  }
  const auto end =
      serve_session(session.value(), bind.value(), keys.value(), launcher.get(), options.serve);
  if (!end) return fail(end.error());
  print_summary(session.value(), options, end.value());
  return judge_failures(session.value(), options, exit_code_of_end(end.value()));
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = app.add_subcommand(
      "run",
      "Start a study, or go on with it: a budget is a total.\n\n  betatune run study.yaml\n");
  command->add_option("STUDY.yaml", options->file, "The study file.")->required();
  command
      ->add_option("-j,--trainers", options->trainers,
                   "Trainer processes on this machine; 0: they connect from elsewhere.")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--bind", options->bind,
                      "Where trainers connect, in the place of the file's server.bind: "
                      "tcp://*:5555 lets other machines in, with keys (betatune key).");
  command->add_flag("--fresh", options->fresh, "Begin again; the earlier study is set aside.");
  command->add_flag("--accept-changes", options->accept_changes,
                    "Go on although the study file has changed.");
  command->add_flag("--json", options->serve.json, "Events as JSON lines on stdout.");
  command->add_flag("--quiet", options->serve.quiet, "Only the result.");
  command
      ->add_option("--grace", options->serve.grace_s,
                   "Seconds that running trials get after the first interrupt.")
      ->check(CLI::NonNegativeNumber);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
