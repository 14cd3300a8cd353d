#include "optimizer/simulate.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/what_if.hpp"
#include "optimizer/cli/width_simulation.hpp"

namespace betatune {
namespace {

struct Options {
  std::uint64_t seeds = 100, first = 0;
  std::optional<std::uint64_t> seed;
  std::string mutation = "none";
  std::vector<std::string> schedulers;
  std::string log;
  std::size_t trainers = 0;
  WhatIfOptions what_if;
  WidthSimulationOptions widths;
};

void print(const SimulationResult& result) {
  fmt::print("seed {}: {}; {} trials, {} events, {} restarts, {} attempts lost, {:.0f} s\n  {}\n",
             result.seed, result.violations.empty() ? "ended by " + result.finished : "BROKEN",
             result.trials, result.events, result.restarts, result.lost, result.virtual_seconds,
             result.setup);
  for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
}

/// One event per line, as the golden logs have them.
bool write_log(const std::string& path, const std::vector<Event>& events) {
  std::ofstream file(path);
  for (const Event& event : events) {
    const Json line{{"seq", event.seq},
                    {"at_us", event.at_us},
                    {"type", fact_type(event.fact)},
                    {"body", encode_fact(event.fact)}};
    file << line.dump() << '\n';
  }
  file.close();
  return file.good();
}

int run(const Options& options) {
  const auto mutation = from_name<Mutation>(options.mutation);
  if (!mutation) {
    fmt::print(stderr,
               "betatune simulate: there is no mutation `{}`; there are:", options.mutation);
    for (const auto& each : enum_names(Mutation{})) fmt::print(stderr, " {}", each.name);
    fmt::print(stderr, "\n");
    return exit_codes::kUsage;
  }
  if (!options.log.empty() && !options.seed) {
    fmt::print(stderr, "betatune simulate: --log needs --seed\n");
    return exit_codes::kUsage;
  }
  if (options.schedulers.size() > 1) {
    fmt::print(stderr, "betatune simulate: several schedulers need --from STUDY\n");
    return exit_codes::kUsage;
  }
  std::optional<std::string> scheduler;
  if (!options.schedulers.empty()) scheduler = options.schedulers.front();
  std::uint64_t broken = 0;
  std::uint64_t events = 0, travelled = 0;
  const std::uint64_t first = options.seed.value_or(options.first);
  const std::uint64_t count = options.seed ? 1 : options.seeds;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const SimulationResult result = simulate({seed, *mutation, scheduler, options.trainers});
    events += result.events;
    travelled += result.travelled;
    if (!result.violations.empty()) ++broken;
    if (options.seed || !result.violations.empty()) print(result);
    if (!options.log.empty() && !write_log(options.log, result.log)) {
      fmt::print(stderr, "betatune simulate: cannot write {}\n", options.log);
      return exit_codes::kStorage;
    }
  }
  fmt::print("{} seeds, {} events, {} checkpoints travelled, {} broken\n", count, events, travelled,
             broken);
  return broken == 0 ? exit_codes::kDone : exit_codes::kBug;
}

void add_width_options(CLI::App& command, WidthSimulationOptions& options) {
  auto* widths =
      command.add_option("--widths", options.widths,
                         "Ranks that a trial may have, as 1,2,4: always each of them, and chosen "
                         "by rung as a study does.");
  widths->delimiter(',');
  command
      .add_option("--serial", options.serial,
                  "With --widths: part of a step that no rank takes off another. Default 0.05.")
      ->needs(widths);
  command
      .add_option("--exchange", options.exchange,
                  "With --widths: part of a step that each doubling of the ranks adds. Default "
                  "0.")
      ->needs(widths);
  command.add_option("--trials", options.trials, "With --widths: of a made-up study. Default 81.")
      ->needs(widths);
  command
      .add_option("--steps", options.steps,
                  "With --widths: of a full training of a made-up study. Default 27.")
      ->needs(widths);
}

int usage(const char* problem) {
  fmt::print(stderr, "betatune simulate: {}\n", problem);
  return exit_codes::kUsage;
}

/// What of the three is asked for.
int dispatch(Options& options, bool has_workers, bool has_json) {
  const bool replays = !options.what_if.study.empty();
  if (!options.widths.widths.empty()) {
    if (options.schedulers.size() > 1) return usage("--widths takes one scheduler");
    WidthSimulationOptions& widths = options.widths;
    widths.slots = options.what_if.workers;
    widths.json = has_json;
    widths.study = options.what_if.study;
    widths.studies = options.seed ? 1 : options.seeds;
    widths.first = options.seed.value_or(options.first);
    if (!options.schedulers.empty()) widths.scheduler = options.schedulers.front();
    return simulate_widths(widths);
  }
  if (!replays && (has_workers || has_json)) {
    return usage("--workers and --json need --from STUDY or --widths");
  }
  options.what_if.schedulers = options.schedulers;
  return replays ? show_what_if(options.what_if) : run(options);
}

}  // namespace

void add_simulate_command(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "simulate",
      "On a virtual clock: a recorded study under other schedulers (--from), or made-up studies\n"
      "against crashes, losses and delays; or either with trials of several ranks (--widths).\n\n"
      "  betatune simulate --from fashion-mnist --workers 4\n"
      "  betatune simulate --seeds 1000\n"
      "  betatune simulate --widths 1,2,4,8 --workers 8 --serial 0.05\n");
  const auto options = std::make_shared<Options>();
  WhatIfOptions& what_if = options->what_if;
  auto* from = command->add_option(
      "--from", what_if.study,
      "A study, by file, folder or name: its trials again, with the losses and times they had.");
  auto* workers = command->add_option(
      "--workers", what_if.workers,
      "With --from: trials at a time, with --widths ranks at a time. Default 1.");
  auto* json =
      command->add_flag("--json", what_if.json,
                        "With --from or --widths: print a JSON object (betatune.what_if/1, "
                        "betatune.simulate_widths/1).");
  command->add_option("--seeds", options->seeds, "How many made-up runs: seeds 0, 1, 2 ...")
      ->excludes(from);
  command->add_option("--first", options->first, "The first of these seeds; default 0.");
  command->add_option("--seed", options->seed, "Only this run, told in detail.");
  command->add_option("--scheduler", options->schedulers,
                      "Always this scheduler; with --from as many as you like, by default all.");
  command
      ->add_option("--trainers", options->trainers,
                   "With --seeds or --seed: so many trainers, and twice as many trials; drawn, and "
                   "few, if left out.")
      ->excludes(from)
      ->check(CLI::PositiveNumber);
  command->add_option("--mutation", options->mutation,
                      "Put a bug in, to see that the checks find it: no_dedup, no_fence, "
                      "send_before_append, no_reconcile, unsynced_store, "
                      "early_checkpoint or trusted_files.");
  command->add_option("--log", options->log, "With --seed: write its log there, an event a line.");
  add_width_options(*command, options->widths);
  command->callback([options, workers, json, &exit_code] {
    exit_code = dispatch(*options, workers->count() > 0, json->count() > 0);
  });
}

}  // namespace betatune
