/// `betatune run study.yaml`: starts a study, or goes on with it, and ends with the best it found.

#include <fmt/format.h>
#include <sys/resource.h>

#include "optimizer/checkpoints.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/front.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/launcher.hpp"
#include "optimizer/launchers/trainer_program.hpp"
#include "optimizer/pareto/study_front.hpp"
#include "optimizer/progress.hpp"
#include "optimizer/roster_file.hpp"
#include "optimizer/server.hpp"
#include "optimizer/standings.hpp"
#include "optimizer/study_session.hpp"
#include "searchspaces/log.hpp"
#include "searchspaces/random.hpp"
#include "transport/codec.hpp"
#include "transport/endpoint.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

struct RunOptions {
  std::string file;
  std::optional<int> trainers;
  std::optional<std::string> bind;
  bool fresh = false;
  bool accept_changes = false;
  bool json = false;
  bool quiet = false;
  int grace_s = 600;
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

/// Every trainer is a descriptor here; the default soft limit is low, the hard one is not.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
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

void print_summary(const StudySession& session, const RunOptions& options,
                   const std::string& reason) {
  const StudyState& state = session.coordinator->state();
  const StudySpec& spec = *session.spec;
  FILE* out = options.json ? stderr : stdout;
  fmt::print(out, "\n{} of {} trials done", state.closed_count(), state.trials.size());
  for (const auto& [outcome, count] : state.closed)
    fmt::print(out, ", {} {}", count, to_name(outcome));
  fmt::print(out, "; {} of work\n", duration_text(static_cast<double>(state.active_us) / 1e6));
  if (spec.objectives.size() > 1) {
    print_front(out, spec, state);
  } else if (state.best) {
    const Trial& best = state.trials[*state.best];
    const double loss = best.standing ? best.standing->loss : *best.loss;
    fmt::print(out, "\nbest: trial {}, {} = {}{}\n", best.id.n, spec.objective.metric,
               short_number(objective_value(spec, loss)),
               repeated_result(state.trials, best).text());
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

/// What the trainers said before they died, for a study that none ever joined.
void show_trainer_logs(const fs::path& directory) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    fmt::print(stderr, "error: no trainer could start; its log is {}:\n", entry.path().string());
    if (FILE* file = std::fopen(entry.path().c_str(), "r"); file != nullptr) {
      std::fseek(file, 0, SEEK_END);
      std::fseek(file, std::max(0L, std::ftell(file) - 2000), SEEK_SET);
      std::string tail(2000, '\0');
      tail.resize(std::fread(tail.data(), 1, tail.size(), file));
      std::fclose(file);
      fmt::print(stderr, "{}\n", tail);
    }
    return;
  }
}

/// Null for external trainers, or if there is a problem.
std::unique_ptr<Launcher> make_launcher(const StudySpec& spec, const std::string& file,
                                        Diagnostics& diagnostics) {
  if (spec.trainer.external.value_or(false)) return nullptr;
  const auto* entry = find_launcher(spec, Mark{file}, diagnostics);
  if (entry == nullptr) return nullptr;
  return entry->make(LauncherContext{spec}, ConfigNode(), diagnostics);
}

/// Shows what happens, and removes the checkpoints that it has made superfluous.
class Housekeeping final : public ServerObserver {
 public:
  /// `external`: trainers connect by themselves, and must be told where; with which token.
  Housekeeping(ServerObserver& shown, const StudySession& session, bool external,
               fs::path token_file)
      : shown_(shown),
        keeper_(session.directory, session.spec->storage.checkpoints),
        roster_(session.directory),
        external_(external),
        token_file_(std::move(token_file)) {
    keeper_.sweep(session.coordinator->state());
  }
  void on_events(std::span<const Event> events, const Coordinator& coordinator) override {
    shown_.on_events(events, coordinator);
    keeper_.on_events(events, coordinator.state());
  }
  void on_tick(const Coordinator& coordinator,
               const std::vector<LaunchedTrainer>& trainers) override {
    shown_.on_tick(coordinator, trainers);
    roster_.tick(coordinator, std::chrono::duration_cast<Monotonic>(
                                  std::chrono::steady_clock::now().time_since_epoch()));
  }
  void on_notice(const std::string& text) override { shown_.on_notice(text); }
  void on_listening(const std::string& endpoint) override {
    roster_.listening(endpoint);
    if (!external_) return;
    on_notice(fmt::format(
        "waiting for trainers that speak the protocol (docs/protocol.md) at {}{}{}", endpoint,
        token_file_.empty() ? "" : ", with the token in " + token_file_.string(),
        endpoint.starts_with("tcp://") && token_file_.empty() ? ", with their keys" : ""));
  }

 private:
  ServerObserver& shown_;
  CheckpointKeeper keeper_;
  RosterFile roster_;
  bool external_ = false;
  fs::path token_file_;
};

/// A study file can be larger than a message: that is told now, not by trials that never start.
Status check_assignable(const StudySpec& spec) {
  Assign assign;
  assign.params = spec.space.sample(root_key(0));
  assign.job.config = spec.trainer.config;
  assign.job.command = spec.trainer.command.value_or(std::vector<std::string>{});
  const auto sent = decode_message(encode_message(assign));
  if (sent) return Ok{};
  return Error{ErrorKind::invalid_argument,
               fmt::format("`trainer` and one configuration do not fit into a message to trainers "
                           "({}); keep large data in files and give their paths",
                           sent.error().message)};
}

/// The file as it was run, beside the results.
void keep_copy(const std::string& file, const fs::path& directory) {
  std::error_code failed;
  if (fs::equivalent(file, directory / "study.yaml", failed)) return;
  failed.clear();
  fs::copy_file(file, directory / "study.yaml", fs::copy_options::overwrite_existing, failed);
  if (failed) log().warn("cannot copy {} to {}: {}", file, directory.string(), failed.message());
}

/// Nothing where none are asked for.
Result<std::optional<KeyRing>> keys_for(const StudySpec& spec, const Bind& bind) {
  if (!bind.asks_for_keys) return std::optional<KeyRing>();
  const fs::path folder =
      spec.server.keys ? fs::path(*spec.server.keys) : KeyRing::default_folder();
  BETATUNE_TRY(KeyRing ring, KeyRing::open(folder));
  BETATUNE_TRY(const std::vector<KeyGrant> allowed, ring.grants());
  if (!allowed.empty()) return std::optional(std::move(ring));
  return Error{
      ErrorKind::invalid_argument,
      fmt::format("server.bind {}: other machines come in with keys, and {} has none; make "
                  "one for each of them:  betatune key new NAME{}",
                  bind.endpoint, folder.string(),
                  spec.server.keys ? " --keys " + *spec.server.keys : "")};
}

/// Returns why it ended.
Result<std::string> serve_session(StudySession& session, const Bind& bind,
                                  const std::optional<KeyRing>& keys, Launcher* launcher,
                                  const RunOptions& options) {
  const auto progress = make_progress(progress_kind(options.json, options.quiet), *session.spec);
  const auto observer =
      std::make_unique<Housekeeping>(*progress, session, launcher == nullptr, bind.token_file);
  ServerOptions settings;
  settings.bind = bind;
  settings.keys = keys;
  settings.local_key_file = session.directory / "local.key";
  settings.log_directory = session.directory / "logs";
  settings.drain_grace = std::chrono::seconds(options.grace_s);
  auto end =
      serve({*session.coordinator, *session.policies.searcher, *session.store, launcher, *observer},
            settings);
  if (end && end.value() == "no_trainer") show_trainer_logs(settings.log_directory);
  return end;
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
      serve_session(session.value(), bind.value(), keys.value(), launcher.get(), options);
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
  command->add_option("-j,--trainers", options->trainers, "Trainer processes on this machine.")
      ->check(CLI::PositiveNumber);
  command->add_option("--bind", options->bind,
                      "Where trainers connect, in the place of the file's server.bind: "
                      "tcp://*:5555 lets other machines in, with keys (betatune key).");
  command->add_flag("--fresh", options->fresh, "Begin again; the earlier study is set aside.");
  command->add_flag("--accept-changes", options->accept_changes,
                    "Go on although the study file has changed.");
  command->add_flag("--json", options->json, "Events as JSON lines on stdout.");
  command->add_flag("--quiet", options->quiet, "Only the result.");
  command
      ->add_option("--grace", options->grace_s,
                   "Seconds that running trials get after the first interrupt.")
      ->check(CLI::NonNegativeNumber);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
