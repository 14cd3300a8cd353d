/// `betatune tck`: is this a trainer, or an optimizer, as the protocol wants it?

#include <fmt/format.h>
#include <fstream>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/output.hpp"
#include "optimizer/tck/runner.hpp"
#include "optimizer/tck/transcript.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// Of the transcript of a case that has failed.
constexpr std::size_t kLinesShown = 40, kCharactersShown = 600;

struct Options {
  std::string study, only, junit, transcripts;
  std::vector<std::string> command;
  double patience_s = 20;
  bool json = false, quiet = false, curve = false;

  tck::Milliseconds patience() const {
    return tck::Milliseconds(static_cast<std::int64_t>(patience_s * 1'000));
  }
};

void tell(const tck::Outcome& each, bool quiet) {
  if (each.verdict == tck::Verdict::passed && quiet) return;
  fmt::print(stderr, "{:<8} {:<15} {:<6} {}: {}\n", to_name(each.verdict), each.id,
             to_name(each.level), each.section, each.title);
  if (each.verdict == tck::Verdict::passed) return;
  fmt::print(stderr, "         {}\n", each.message);
  const std::size_t all = each.transcript.size();
  const std::size_t first = all > kLinesShown ? all - kLinesShown : 0;
  if (first > 0) fmt::print(stderr, "           ... (--json has all of it)\n");
  for (std::size_t i = first; i < all; ++i) {
    const std::string& line = each.transcript[i];
    fmt::print(stderr, "           {}{}\n", line.substr(0, kCharactersShown),
               line.size() > kCharactersShown ? "..." : "");
  }
}

int report(const std::string& subject, const std::vector<tck::Outcome>& outcomes,
           const Options& options) {
  if (outcomes.empty()) {
    fmt::print(stderr, "error: no case's id contains `{}`\n", options.only);
    return exit_codes::kUsage;
  }
  if (!options.junit.empty()) {
    std::ofstream file(options.junit);
    file << tck::report_junit(subject, outcomes);
    file.close();
    if (!file) {
      fmt::print(stderr, "error: {}: cannot be written\n", options.junit);
      return exit_codes::kStorage;
    }
  }
  if (!options.transcripts.empty()) {
    if (const Status written = tck::write_transcripts(options.transcripts, outcomes); !written) {
      fmt::print(stderr, "error: {}\n", written.error().message);
      return exit_codes::kStorage;
    }
  }
  const Json summary = tck::report_json(subject, outcomes);
  if (options.json) {
    print_json(summary);
  } else {
    fmt::print("{} of {} cases passed, {} failed, {} skipped: it {}\n",
               summary["passed"].get<std::int64_t>(), outcomes.size(),
               summary["failed"].get<std::int64_t>(), summary["skipped"].get<std::int64_t>(),
               tck::has_failed(outcomes) ? "does not conform" : "conforms");
  }
  return tck::has_failed(outcomes) ? 1 : exit_codes::kDone;
}

bool mentions(const std::vector<std::string>& words, const char* placeholder) {
  for (const std::string& each : words) {
    if (each.find(placeholder) != std::string::npos) return true;
  }
  fmt::print(stderr, "error: the command must have {} somewhere\n", placeholder);
  return false;
}

int check_trainer(const Options& options) {
  if (!mentions(options.command, "{address}")) return exit_codes::kUsage;
  Diagnostics diagnostics;
  StudySpec spec = load_study(options.study, diagnostics);
  if (!diagnostics.ok()) return report_problems(diagnostics);
  tck::TrainerTarget target;
  target.command = options.command;
  target.study = std::make_shared<const StudySpec>(std::move(spec));
  target.study_directory = fs::absolute(options.study).parent_path().string();
  target.patience = options.patience();
  const auto outcomes = tck::run_trainer_cases(
      target, options.only, [&](const tck::Outcome& each) { tell(each, options.quiet); });
  return report("trainer", outcomes, options);
}

int check_optimizer(const Options& options) {
  if (!mentions(options.command, "{address}")) return exit_codes::kUsage;
  tck::OptimizerTarget target;
  target.command = options.command;
  target.curve = options.curve;
  target.patience = options.patience();
  const auto outcomes = tck::run_optimizer_cases(
      target, options.only, [&](const tck::Outcome& each) { tell(each, options.quiet); });
  return report("optimizer", outcomes, options);
}

}  // namespace

void add_tck_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* kit =
      app.add_subcommand("tck",
                         "The conformance kit of the trainer protocol (docs/protocol.md).\n\n"
                         "  betatune tck trainer study.yaml -- ./my-trainer {address}\n"
                         "  betatune tck optimizer -- betatune run {study} --bind {address}\n");
  kit->require_subcommand(1);
  const auto add = [&](const char* name, const char* what, int (*run)(const Options&)) {
    CLI::App* command = kit->add_subcommand(name, what);
    command->add_option("--only", options->only, "Only cases whose id contains this.");
    command->add_option("--junit", options->junit, "Write JUnit's XML into this file.");
    command->add_option("--transcripts", options->transcripts,
                        "Write each case's conversation into a file of this folder.");
    command->add_option("--patience", options->patience_s, "Seconds to wait for one message.")
        ->check(CLI::PositiveNumber);
    command->add_flag("--json", options->json, "Print a JSON object.");
    command->add_flag("--quiet", options->quiet, "Tell only what has not passed.");
    command->callback([options, run, &exit_code] { exit_code = run(*options); });
    return command;
  };
  CLI::App* trainer = add("trainer", "Drive a trainer through the protocol.", check_trainer);
  trainer->add_option("STUDY.yaml", options->study, "What it is to train: its space and steps.")
      ->required();
  trainer
      ->add_option("COMMAND", options->command,
                   "Starts it; {address} is where it connects. With {key}, its key file, the "
                   "conversation is encrypted.")
      ->required();
  CLI::App* optimizer = add("optimizer", "Drive an optimizer through it.", check_optimizer);
  optimizer->add_flag("--curve", options->curve, "With keys, over the loopback device.");
  optimizer
      ->add_option("COMMAND", options->command,
                   "Starts it; {address} is where it listens, {study} the study file.")
      ->required();
}

}  // namespace betatune
