/// `betatune scaling study.yaml --widths 1,2,4`: how much faster more ranks train.

#include <algorithm>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <thread>

#include "optimizer/cli/assignments.hpp"
#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/cli/scaling_report.hpp"
#include "optimizer/cli/scaling_run.hpp"
#include "optimizer/launchers/gpus.hpp"
#include "optimizer/launchers/trainer_program.hpp"
#include "optimizer/scaling_study.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// One to warm up, and some that are counted.
constexpr Step kFewSteps = 4;

struct Options {
  std::string file;
  std::vector<int> widths;
  std::vector<std::string> values;
  std::optional<std::uint64_t> trial;
  std::optional<Step> steps;
  int repeats = 1;
  std::optional<double> target;
  std::string plot;
  bool fresh = false;
  bool share_cores = false;
  bool json = false;
  int grace_s = 600;
};

Error usage(std::string message) {
  return Error{ErrorKind::invalid_argument, std::move(message)};
}

int cores_here() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// Ranks that this machine has room for.
int most_ranks(const StudySpec& spec) {
  if (const int each = gpus_per_rank(spec); each > 0) {
    const auto gpus =
        visible_gpus(std::getenv("CUDA_VISIBLE_DEVICES"), "/proc/driver/nvidia/gpus").size();
    return static_cast<int>(gpus) / each;
  }
  return cores_here() / cpus_per_rank(spec);
}

Status check_trainer(const StudySpec& spec, const std::string& file) {
  if (spec.trainer.plugin) return check_plugin(*spec.trainer.plugin);
  if (spec.trainer.has_ranks()) return Ok{};
  if (!spec.trainer.command) {
    return usage(fmt::format(
        "{}: `trainer.external` has no ranks to measure: such trainers start their processes "
        "themselves",
        file));
  }
  return usage(
      fmt::format("{}: `trainer.command` has no ranks to measure: the command is one process; with "
                  "`processes: per-rank` betatune starts one for each rank",
                  file));
}

Result<std::vector<int>> widths_of(const Options& options, const StudySpec& spec) {
  const int most = most_ranks(spec);
  std::vector<int> widths =
      options.widths.empty() ? doubling_widths(std::max(1, most)) : options.widths;
  std::ranges::sort(widths);
  widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
  if (widths.front() < 1 || widths.back() > limits::kRanks) {
    return usage(fmt::format("--widths: numbers of ranks are 1 to {}", limits::kRanks));
  }
  if (widths.back() <= most) return widths;
  if (const int gpus = gpus_per_rank(spec); gpus > 0) {
    return usage(fmt::format("--widths {}: at {} GPU{} a rank this machine has room for {}",
                             widths.back(), gpus, gpus == 1 ? "" : "s", most));
  }
  if (options.share_cores) return widths;
  return usage(fmt::format(
      "--widths {}: at {} CPU{} a rank this machine has room for {}; --share-cores measures it all "
      "the same, with several ranks to a core",
      widths.back(), cpus_per_rank(spec), cpus_per_rank(spec) == 1 ? "" : "s", most));
}

/// That of the trial, or nothing.
Result<Configuration> trial_configuration(const Options& options, const StudySpec& spec) {
  if (!options.trial) return Configuration{};
  const fs::path directory = study_directory(spec);
  BETATUNE_TRY(const std::unique_ptr<StudyReader> reader, StudyReader::open(directory));
  BETATUNE_TRY(const std::optional<TrialRow> row, reader->trial(TrialId{*options.trial}));
  if (!row) {
    return usage(fmt::format("--trial {}: the study in {} has no such trial", *options.trial,
                             directory.string()));
  }
  BETATUNE_TRY(Configuration configuration, configuration_from_json(row->params));
  // --set may change what others follow from.
  return without_derived(spec.space, std::move(configuration));
}

Result<Configuration> configuration_of(const Options& options, const StudySpec& spec) {
  BETATUNE_TRY(Configuration given, trial_configuration(options, spec));
  BETATUNE_CHECK(assign(spec.space, "--set", options.values, given));
  return completed(spec.space, given);
}

Result<Step> steps_of(const Options& options, const StudySpec& spec) {
  const Step full = spec.full_budget();
  const Step steps = options.steps.value_or(options.target ? full : std::min(full, kFewSteps));
  if (steps <= full) return steps;
  if (!spec.fidelity) {
    return usage(fmt::format(
        "--steps {}: without a `fidelity` in the study file a training is one step", steps));
  }
  return usage(
      fmt::format("--steps {}: `fidelity.max`, the length of a full training, is {}", steps, full));
}

/// Everything that is asked before anything is trained.
struct Prepared {
  StudySpec study;
  ScalingPlan plan;  ///< without ranks and folder
  std::vector<WidthRun> runs;
  fs::path folder;
};

Result<Prepared> prepare(const Options& options, StudySpec study) {
  Prepared prepared;
  prepared.study = std::move(study);
  const StudySpec& spec = prepared.study;
  BETATUNE_CHECK(check_trainer(spec, options.file));
  BETATUNE_TRY(const std::vector<int> widths, widths_of(options, spec));
  ScalingPlan& plan = prepared.plan;
  BETATUNE_TRY(plan.configuration, configuration_of(options, spec));
  BETATUNE_TRY(plan.steps, steps_of(options, spec));
  plan.repeats = options.repeats;
  prepared.folder = study_directory(spec);
  prepared.folder += "-scaling";
  for (const int ranks : widths) {
    plan.ranks = ranks;
    plan.folder = prepared.folder / fmt::format("ranks-{}", ranks);
    Diagnostics diagnostics;
    const auto node = ConfigNode::from_json(scaling_document(spec, plan),
                                            fmt::format("{} with {} ranks", options.file, ranks));
    auto width = read_study(node, fs::path(options.file).parent_path(), diagnostics);
    if (!diagnostics.ok()) return usage(diagnostics.render(false));
    BETATUNE_CHECK(check_assignable(width));
    prepared.runs.push_back({std::make_shared<const StudySpec>(std::move(width)), options.file,
                             options.fresh, options.grace_s});
  }
  return prepared;
}

int end_early(const std::string& reason, const Error* failure) {
  if (failure != nullptr) return report_error(*failure, WorksOn::study_file);
  if (reason == "no_trainer") return exit_codes::kNoTrainer;
  fmt::print(stderr,
             "\ninterrupted; the same command goes on, and does not repeat what is measured\n");
  return reason == "cancelled" ? exit_codes::kHardStop : exit_codes::kDrained;
}

/// Empty, with the exit code, if one of them did not come to its end.
std::vector<MeasuredWidth> measure(const Options& options, const Prepared& prepared,
                                   int& exit_code) {
  std::optional<double> target = options.target;
  if (target && prepared.study.objective.goal == Goal::maximize) target = -*target;
  std::vector<MeasuredWidth> widths;
  for (const WidthRun& run : prepared.runs) {
    const int ranks = run.spec->resources.world();
    const fs::path folder = study_directory(*run.spec);
    fmt::print(stderr, "{} rank{}: {}\n", ranks, ranks == 1 ? "" : "s", folder.string());
    const auto end = train_width(run);
    if (!end) {
      exit_code = report_error(end.error(), WorksOn::study_file);
      return {};
    }
    const bool over = end.value() == "trials" || end.value() == "failures";
    auto width = over ? read_width(folder, ranks, target) : Error{};
    if (!width) {
      exit_code = end_early(end.value(), over ? &width.error() : nullptr);
      if (end.value() == "failures") exit_code = exit_codes::kTooManyFailures;
      return {};
    }
    widths.push_back(std::move(width).value());
  }
  return widths;
}

Status write_plot(const std::string& path, const ScalingReport& report) {
  std::ofstream file(path);
  file << scaling_svg(report);
  file.close();
  if (file.good()) return Ok{};
  return Error{ErrorKind::unavailable, fmt::format("--plot {}: cannot be written", path)};
}

ScalingReport report_of(const Options& options, const Prepared& prepared,
                        std::vector<MeasuredWidth> widths) {
  const StudySpec& spec = prepared.study;
  ScalingReport report;
  report.study = spec.study.name;
  report.step = spec.fidelity ? spec.fidelity->name : "step";
  report.configuration = to_json(prepared.plan.configuration);
  report.table = scaling_table(std::move(widths));
  report.fit = fit_scaling(report.table.rows);
  report.repeats = options.repeats;
  report.cpus_per_rank = cpus_per_rank(spec);
  report.gpus_per_rank = gpus_per_rank(spec);
  report.cores = cores_here();
  report.target = options.target;
  report.folder = prepared.folder;
  return report;
}

int run(const Options& options) {
  Diagnostics diagnostics;
  StudySpec study = load_study(options.file, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  raise_descriptor_limit();
  const auto prepared = prepare(options, std::move(study));
  if (!prepared) return report_error(prepared.error(), WorksOn::study_file);
  int exit_code = exit_codes::kDone;
  auto widths = measure(options, prepared.value(), exit_code);
  if (widths.empty()) return exit_code;
  const ScalingReport report = report_of(options, prepared.value(), std::move(widths));
  if (options.json) {
    print_json(scaling_json(report));
  } else {
    fmt::print("{}\n{}", assignments_text(report.configuration), scaling_text(report));
  }
  if (options.plot.empty()) return exit_codes::kDone;
  const Status written = write_plot(options.plot, report);
  return written ? exit_codes::kDone : report_error(written.error(), WorksOn::study_file);
}

}  // namespace

void add_scaling_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "scaling",
      "How much faster more ranks train: one configuration with each number of them.\n\n"
      "  betatune scaling study.yaml\n"
      "  betatune scaling study.yaml --widths 1,2,4,8 --trial 17 --repeats 3 --plot scaling.svg\n");
  command->add_option("STUDY.yaml", options->file, "The study file.")->required();
  command
      ->add_option("--widths", options->widths,
                   "Numbers of ranks; by default 1, 2, 4 ... as far as there are cores or GPUs.")
      ->delimiter(',');
  command->add_option("--trial", options->trial,
                      "The configuration of this trial of the study; by default the defaults.");
  command
      ->add_option("--set", options->values,
                   "Another value for a parameter of it; may be repeated.")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  command
      ->add_option("--steps", options->steps,
                   "Steps of each training, the first of which is not counted; by default 4, with "
                   "--target a full training.")
      ->check(CLI::PositiveNumber);
  command->add_option("--repeats", options->repeats, "Trainings with each number of ranks.")
      ->check(CLI::PositiveNumber);
  command->add_option("--target", options->target,
                      "Also the time until the objective is this good.");
  command->add_option("--plot", options->plot, "Draws the rates into this file, an SVG.");
  command->add_flag("--share-cores", options->share_cores,
                    "Allow more ranks than this machine has cores for.");
  command->add_flag("--fresh", options->fresh,
                    "Measure again what has been measured; it is set aside.");
  command
      ->add_option("--grace", options->grace_s,
                   "Seconds that a running training gets after the first interrupt.")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", options->json, "Print a JSON object (betatune.scaling/1).");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
