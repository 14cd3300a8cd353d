/// `betatune logs`: what trials and trainers wrote to stdout and stderr.

#include <algorithm>
#include <deque>
#include <fmt/format.h>
#include <fstream>

#include "optimizer/cli/commands.hpp"
#include "optimizer/cli/errors.hpp"
#include "optimizer/cli/study_argument.hpp"
#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string study;
  std::optional<std::uint64_t> trial, attempt;
  int rank = 0;
  std::int64_t lines = 100;
};

/// The last `lines` lines; all of them if that is 0.
void print_end(const fs::path& file, std::int64_t lines) {
  std::ifstream in(file);
  std::deque<std::string> kept;
  for (std::string line; std::getline(in, line);) {
    kept.push_back(std::move(line));
    if (lines > 0 && std::ssize(kept) > lines) kept.pop_front();
  }
  for (const std::string& line : kept) fmt::print("{}\n", line);
}

int nothing(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
  return exit_codes::kDone;
}

int show_attempt(const OpenStudy& study, const Options& options) {
  const TrialId id{*options.trial};
  const auto trial = study.reader->trial(id);
  if (!trial) return report_error(trial.error(), WorksOn::study);
  if (!trial.value()) {
    return report_error(Error{ErrorKind::invalid_argument,
                              fmt::format("{} has no trial {}", study.summary.name, id.n)},
                        WorksOn::study);
  }
  const std::uint64_t attempts = trial.value()->attempts;
  if (attempts == 0) return nothing(fmt::format("trial {} has not begun", id.n));
  const std::uint64_t attempt = options.attempt.value_or(attempts);
  if (attempt < 1 || attempt > attempts) {
    return report_error(
        Error{ErrorKind::invalid_argument,
              fmt::format("trial {} has {} attempt{}", id.n, attempts, attempts == 1 ? "" : "s")},
        WorksOn::study);
  }
  const fs::path file = study.place.directory / "trials" / std::to_string(id.n) /
                        fmt::format("attempt-{}", attempt) /
                        (options.rank == 0 ? "log" : fmt::format("log.rank-{}", options.rank));
  std::error_code failed;
  if (!fs::exists(file, failed)) {
    return nothing(fmt::format(
        "{}attempt {} of trial {} wrote nothing (or wrote it on a machine that "
        "does not share this folder)",
        options.rank == 0 ? "" : fmt::format("rank {} of ", options.rank), attempt, id.n));
  }
  fmt::print(stderr, "== {}\n", file.string());
  print_end(file, options.lines);
  return exit_codes::kDone;
}

int show_trainers(const OpenStudy& study, const Options& options) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(study.place.directory / "logs", failed)) {
    files.push_back(entry.path());
  }
  if (files.empty()) return nothing("no trainer was started by this study");
  std::ranges::sort(files);
  for (const fs::path& file : files) {
    fmt::print(stderr, "== {}\n", file.string());
    print_end(file, options.lines);
  }
  return exit_codes::kDone;
}

int run(const Options& options) {
  int exit_code = exit_codes::kDone;
  const auto study = open_study(options.study, exit_code);
  if (!study) return exit_code;
  return options.trial ? show_attempt(*study, options) : show_trainers(*study, options);
}

}  // namespace

void add_logs_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "logs",
      "What a trial wrote to stdout and stderr; without TRIAL, what the study's own trainers "
      "did.\n\n  betatune logs fashion-mnist 3\n");
  add_study_argument(*command, options->study);
  command->add_option("TRIAL", options->trial, "Its number.");
  command->add_option("--rank", options->rank, "Which of the trial's processes (default: 0).")
      ->check(CLI::Range(0, limits::kRanks - 1));
  command->add_option("--attempt", options->attempt, "Which attempt (default: the last one).")
      ->check(CLI::PositiveNumber);
  command->add_option("-n,--lines", options->lines, "So many lines from the end; 0: all.")
      ->check(CLI::NonNegativeNumber);
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace betatune
