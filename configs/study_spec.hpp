#pragma once
/// The study file as typed values. docs/study-file.md is the user's page for it.

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "configs/node.hpp"
#include "configs/read.hpp"
#include "searchspaces/inequality.hpp"
#include "searchspaces/space.hpp"

namespace betatune {

enum class Goal { minimize, maximize };
constexpr auto enum_names(Goal) {
  return std::array{EnumName<Goal>{Goal::minimize, "minimize"},
                    EnumName<Goal>{Goal::maximize, "maximize"}};
}

struct StudySection {
  std::string name;
  std::optional<std::uint64_t> seed;  ///< drawn, logged and recorded if missing
  std::map<std::string, std::string> tags;
  static constexpr auto fields() {
    return std::tuple{Field{"name", &StudySection::name,
                            "Letters, digits, '.', '_' and '-'; names the folder of the study."},
                      Field{"seed", &StudySection::seed,
                            "Everything random flows from it. Drawn and recorded if missing."},
                      defaulted("tags", &StudySection::tags, "Free words to find the study by.")};
  }
};

struct ObjectiveSpec {
  std::string metric = "loss";
  Goal goal = Goal::minimize;
  std::optional<double> target;
  std::optional<double> threshold = {};  ///< worst value of interest; with several objectives only
  static constexpr auto fields() {
    return std::tuple{
        Field{"metric", &ObjectiveSpec::metric, "Name of the reported metric that is optimized."},
        defaulted("goal", &ObjectiveSpec::goal, "minimize or maximize."),
        Field{"target", &ObjectiveSpec::target, "The study ends when a trial reaches this value."}};
  }
};

/// The axis along which a trial can be trained less: epochs, steps, samples.
struct FidelitySpec {
  std::string name = "epoch";
  Step min = 1;
  Step max = 1;
  bool resumable = true;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("name", &FidelitySpec::name, "What one step is called: epoch, step ..."),
        defaulted("min", &FidelitySpec::min, "First step at which trials may be compared."),
        Field{"max", &FidelitySpec::max, "Steps of a full training."},
        defaulted("resumable", &FidelitySpec::resumable,
                  "Whether the trainer can go on from a checkpoint.")};
  }
};

/// A policy by name; its own options stay a node, read (with marks) by the registry's maker.
struct PolicySpec {
  std::string name;
  ConfigNode options;  ///< the mapping without `name` (and without nested policies); may be null
};

struct InitialSpec {
  std::vector<ConfigNode> points;  ///< partial configurations; completed against the space
  std::string design = "sobol";    ///< sobol or random
  std::optional<std::int64_t> count;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("points", &InitialSpec::points,
                  "Configurations tried first; what is left out takes its default."),
        defaulted("design", &InitialSpec::design, "How the space is filled then: sobol or random."),
        Field{"count", &InitialSpec::count,
              "Trials of the design; left out, the searcher chooses."}};
  }
};

/// Earlier studies from which this one learns.
struct TransferSpec {
  std::vector<ConfigNode> studies;  ///< words: folders, or names under runs/
  static constexpr auto fields() {
    return std::tuple{Field{"studies", &TransferSpec::studies,
                            "Folders of earlier studies, or their names under runs/."}};
  }
};

struct AlgorithmSpec {
  PolicySpec searcher;   ///< name "auto" if not given
  PolicySpec scheduler;  ///< name "auto": as scheduler_name() has it
  InitialSpec initial;
  TransferSpec transfer;
};

/// Ending when the search expects no more of what it tries.
struct NoGainSpec {
  double below = 0;
  int trials = 10;
  static constexpr auto fields() {
    return std::tuple{Field{"below", &NoGainSpec::below,
                            "Gain of the objective that is not worth a trial, in its own unit."},
                      defaulted("trials", &NoGainSpec::trials,
                                "So many suggestions in a row must promise less.")};
  }
};
struct StoppingSpec {
  std::optional<std::int64_t> trials;
  std::optional<Duration> wall_time;
  std::optional<double> gpu_hours, trainer_hours;
  std::optional<Step> steps;
  std::optional<NoGainSpec> no_gain;
  static constexpr auto fields() {
    return std::tuple{
        Field{"trials", &StoppingSpec::trials,
              "Total number of trials, over all runs of the file."},
        Field{"wall_time", &StoppingSpec::wall_time, "Total time that the study has been running."},
        Field{"gpu_hours", &StoppingSpec::gpu_hours,
              "Total hours of all attempts, times the GPUs of each (`resources.gpus`)."},
        Field{"trainer_hours", &StoppingSpec::trainer_hours,
              "Total hours of all attempts, whatever they run on."},
        Field{"steps", &StoppingSpec::steps,
              "Total steps of the fidelity that all attempts have trained."},
        Field{"no_gain", &StoppingSpec::no_gain,
              "The study ends when the search expects less than this of each new trial."}};
  }
};

struct RetrySpec {
  int infra = 3, oom = 0, diverged = 0, timeout = 0, user = 0;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("infra", &RetrySpec::infra, "Retries after a lost trainer or machine."),
        defaulted("oom", &RetrySpec::oom, "Retries after running out of memory."),
        defaulted("diverged", &RetrySpec::diverged, "Retries after a loss that is not finite."),
        defaulted("timeout", &RetrySpec::timeout, "Retries after a time limit."),
        defaulted("user", &RetrySpec::user, "Retries after an error of the trainer's own.")};
  }
};
struct LimitsSpec {
  std::optional<Duration> wall_time, silence;
  static constexpr auto fields() {
    return std::tuple{
        Field{"wall_time", &LimitsSpec::wall_time, "Longest time of one attempt of a trial."},
        Field{"silence", &LimitsSpec::silence, "Longest time between two reports."}};
  }
};
struct TrialsSpec {
  std::optional<int> parallel;
  std::optional<std::int64_t> max_failed;
  RetrySpec retry;
  LimitsSpec limits;
  static constexpr auto fields() {
    return std::tuple{Field{"parallel", &TrialsSpec::parallel,
                            "At most so many trials at once (default: all slots)."},
                      Field{"max_failed", &TrialsSpec::max_failed,
                            "The study gives up after so many failed trials."},
                      defaulted("retry", &TrialsSpec::retry,
                                "How often a trial is tried again, by kind of failure."),
                      defaulted("limits", &TrialsSpec::limits, "Time limits of an attempt.")};
  }
};

/// The best configurations are trained again before one of them is called best.
struct ConfirmSpec {
  int top = 5;
  int seeds = 5;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("top", &ConfirmSpec::top, "How many of the best configurations are confirmed."),
        defaulted("seeds", &ConfirmSpec::seeds, "How often each of them is trained again.")};
  }
};
/// For losses that differ when the same configuration is trained again.
struct NoiseSpec {
  int repeats = 1;
  std::optional<ConfirmSpec> confirm_best;
  /// Whether any configuration is to be trained more than once.
  bool trains_again() const { return repeats > 1 || confirm_best; }
  static constexpr auto fields() {
    return std::tuple{
        defaulted("repeats", &NoiseSpec::repeats,
                  "How often every configuration is trained; each time is a trial of the budget."),
        Field{
            "confirm_best", &NoiseSpec::confirm_best,
            "The best ones are trained again when the budget is used, and ranked by that alone."}};
  }
};

/// How many processes of a trainer's command a trial gets.
enum class CommandProcesses { one, per_rank };
constexpr auto enum_names(CommandProcesses) {
  return std::array{EnumName<CommandProcesses>{CommandProcesses::one, "one"},
                    EnumName<CommandProcesses>{CommandProcesses::per_rank, "per-rank"}};
}

struct TrainerSpec {
  std::optional<std::string> plugin;                ///< name, or a path ending in .so
  std::optional<std::vector<std::string>> command;  ///< argv with {name} placeholders
  CommandProcesses processes = CommandProcesses::one;
  std::optional<bool> external;
  Json config = Json::object();  ///< handed to the trainer as it is
  /// Whether a process is started for each rank of a trial: by plug-ins always.
  bool has_ranks() const {
    return plugin.has_value() || (command && processes == CommandProcesses::per_rank);
  }
  static constexpr auto fields() {
    return std::tuple{
        Field{"plugin", &TrainerSpec::plugin,
              "A trainer plug-in: its name, or the path of its .so."},
        Field{"command", &TrainerSpec::command, "Any executable, with {parameter} placeholders."},
        defaulted("processes", &TrainerSpec::processes,
                  "Of the command: one, or one per rank with what torchrun puts into their "
                  "environment."),
        Field{"external", &TrainerSpec::external, "true: trainers connect by themselves."},
        defaulted("config", &TrainerSpec::config, "Handed to the trainer as it is.")};
  }
};

struct ElasticSpec {
  int min = 1;
  static constexpr auto fields() {
    return std::tuple{defaulted("min", &ElasticSpec::min, "Fewest ranks to try again with.")};
  }
};

/// How the ranks of an attempt are chosen where the study leaves them open.
enum class WidthPolicy { scale_with_rung };
constexpr auto enum_names(WidthPolicy) {
  return std::array{EnumName<WidthPolicy>{WidthPolicy::scale_with_rung, "scale-with-rung"}};
}

/// Numbers of ranks, one of which every attempt gets when it starts: width as a resource. With
/// GPUs, each rank has one.
struct WidthsSpec {
  std::vector<int> choices;  ///< ascending, distinct, 1 or more; two at least
  WidthPolicy policy = WidthPolicy::scale_with_rung;
  Mark mark = {};  ///< where the study file says so
  int narrowest() const { return choices.front(); }
  int widest() const { return choices.back(); }
};

/// What one trial occupies; with `widths`, what the widest one does.
struct ResourcesSpec {
  int cpus = 1;
  int gpus = 0;
  std::optional<int> ranks;
  Duration rank_timeout{10};
  std::optional<ElasticSpec> elastic;
  std::optional<WidthsSpec> widths;
  /// Processes of one trial that has lost `losses` attempts to its machines.
  int world(int losses = 0) const {
    const int all = ranks.value_or(1);
    return elastic ? std::max(std::min(elastic->min, all), all - losses) : all;
  }
};

struct LauncherSpec {
  std::string name = "local";
  std::optional<int> trainers;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("name", &LauncherSpec::name, "local: trainer processes on this machine."),
        Field{"trainers", &LauncherSpec::trainers,
              "How many; default one per GPU, or per CPU core. With choices of ranks one, and so "
              "many share the machine's ranks. 0: they connect from elsewhere."}};
  }
};

struct ServerSpec {
  std::string bind = "ipc://auto";
  Duration lease{30};
  std::optional<std::string> keys;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("bind", &ServerSpec::bind, "ipc://auto, ipc://PATH or tcp://ADDRESS:PORT."),
        defaulted("lease", &ServerSpec::lease, "A silent trainer is given up after this time."),
        Field{"keys", &ServerSpec::keys,
              "Folder of the keys that trainers must show; default ~/.config/betatune/keys."}};
  }
};

struct CheckpointsSpec {
  int keep = 2, best = 1;
  bool rungs = false;
  Duration every{30};
  static constexpr auto fields() {
    return std::tuple{
        defaulted("keep", &CheckpointsSpec::keep,
                  "Checkpoints kept of each unfinished trial, the newest ones."),
        defaulted("best", &CheckpointsSpec::best,
                  "How many of the best finished trials keep their last one (the model)."),
        defaulted("rungs", &CheckpointsSpec::rungs,
                  "Whether every trial keeps those at which it reached a rung."),
        defaulted("every", &CheckpointsSpec::every,
                  "Shortest time between two checkpoints of a trial.")};
  }
};
struct StorageSpec {
  std::string path;  ///< default runs/NAME, relative to the working directory
  CheckpointsSpec checkpoints;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("path", &StorageSpec::path, "Folder of the study; default runs/NAME."),
        defaulted("checkpoints", &StorageSpec::checkpoints, "Which checkpoints are kept.")};
  }
};

struct StudySpec {
  StudySection study;
  ObjectiveSpec objective;  ///< the first one
  /// All of them, `objective` first; one, unless the study has several.
  std::vector<ObjectiveSpec> objectives = {ObjectiveSpec{}};
  std::vector<Inequality> outcome_constraints;  ///< limits on reported metrics
  SearchSpace space;
  std::optional<FidelitySpec> fidelity;
  AlgorithmSpec algorithm;
  StoppingSpec stopping;
  TrialsSpec trials;
  NoiseSpec noise;
  TrainerSpec trainer;
  ResourcesSpec resources;
  LauncherSpec launcher;
  ServerSpec server;
  StorageSpec storage;

  /// The whole document as JSON, includes taken in: what the log records, and what a resumed study
  /// is compared with.
  Json document;

  /// Steps of a full training: fidelity.max, or 1.
  Step full_budget() const { return fidelity ? fidelity->max : 1; }
};

/// Reads and checks a study file; every problem goes to `diagnostics`, and the result is meaningful
/// only if diagnostics.ok(). Sections that this version does not have are errors that say so.
/// Relative paths of `include:` are looked up beside the file, then in the working directory, then
/// in the installed `searchspaces/` folder; relative plug-in paths and command[0] (if it has a
/// slash) beside the study file.
StudySpec load_study(const std::filesystem::path& path, Diagnostics& diagnostics);
/// The same from a tree that is already there (`directory` for relative paths).
StudySpec read_study(const ConfigNode& document, const std::filesystem::path& directory,
                     Diagnostics& diagnostics);

/// What changed between two documents, one line per leaf ("parameters.lr.max: 0.1 -> 0.2"); empty
/// if nothing did. `stopping` is not looked at: budgets are totals and may grow.
std::vector<std::string> document_changes(const Json& before, const Json& after);

}  // namespace betatune
