// A study of 100,000 trials: how fast events are appended, how long a resume takes, and how long
// the reading commands. Prints a table; `bench_store N` takes another number of trials.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fmt/format.h>

#include "optimizer/store.hpp"
#include "optimizer/stores/study_reader.hpp"
#include "optimizer/study_state.hpp"
#include "tests/support/study_log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

constexpr std::size_t kBatch = 100;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class T>
T must(Result<T> result) {
  if (result) return std::move(result).value();
  fmt::print(stderr, "error: {}\n", result.error().message);
  std::exit(1);
}

void row(const std::string& name, const std::string& value, const std::string& goal) {
  fmt::print("{:<44} {:>16}   {}\n", name, value, goal);
}

void append_all(const std::filesystem::path& directory, const std::vector<Event>& log) {
  auto store = must(open_sqlite_store(directory, OpenMode::optimizer));
  must(store->begin_epoch());
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < log.size(); i += kBatch) {
    const std::size_t count = std::min(kBatch, log.size() - i);
    must(store->append(i, std::span(log).subspan(i, count)));
  }
  const double seconds = seconds_since(start);
  row(fmt::format("append, durable, batches of {}", kBatch),
      fmt::format("{:.0f} events/s", static_cast<double>(log.size()) / seconds), ">= 20,000");
  row("  per batch",
      fmt::format("{:.2f} ms", seconds * 1e3 * kBatch / static_cast<double>(log.size())), "");
  constexpr int kPolls = 10'000;
  const auto polls = std::chrono::steady_clock::now();
  for (int i = 0; i < kPolls; ++i) must(store->requests());
  row("poll for requests", fmt::format("{:.2f} us", seconds_since(polls) * 1e6 / kPolls), "");
}

void resume(const std::filesystem::path& directory, std::size_t events) {
  auto start = std::chrono::steady_clock::now();
  auto store = must(open_sqlite_store(directory, OpenMode::optimizer));
  const double open_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  const std::vector<Event> log = must(store->read(0, events + 1));
  const double read_seconds = seconds_since(start);
  start = std::chrono::steady_clock::now();
  StudyState state;
  for (const Event& event : log) must(apply(state, event));
  const double fold_seconds = seconds_since(start);
  row("resume: open", fmt::format("{:.3f} s", open_seconds), "");
  row("  read and decode the log", fmt::format("{:.3f} s", read_seconds), "");
  row("  fold it", fmt::format("{:.3f} s", fold_seconds), "");
  row("  together", fmt::format("{:.3f} s", open_seconds + read_seconds + fold_seconds), "<= 2");
}

void look(const std::filesystem::path& directory) {
  auto start = std::chrono::steady_clock::now();
  auto reader = must(StudyReader::open(directory));
  const StudySummary summary = must(reader->summary());
  row("status", fmt::format("{:.1f} ms", seconds_since(start) * 1e3), "<= 200");
  start = std::chrono::steady_clock::now();
  TrialQuery best;
  best.sort = "loss";
  best.limit = 10;
  must(reader->trials(best, [](const TrialRow&) { return true; }));
  row("trials --sort loss --limit 10", fmt::format("{:.1f} ms", seconds_since(start) * 1e3), "");
  start = std::chrono::steady_clock::now();
  const TrialId last{static_cast<std::uint64_t>(summary.trials() - 1)};
  must(reader->trial(last));
  must(reader->attempts(last));
  must(reader->reports(last));
  row("show", fmt::format("{:.1f} ms", seconds_since(start) * 1e3), "");
}

void run(int trials) {
  support::TemporaryDirectory directory;
  support::LogShape shape;
  shape.trials = trials;
  shape.parallel = 64;
  shape.reports = 2;
  const std::vector<Event> log = support::make_study_log(shape);
  row("trials", fmt::format("{}", trials), "");
  row("events", fmt::format("{}", log.size()), "");
  append_all(directory.path(), log);
  const auto bytes = std::filesystem::file_size(directory / "study.db");
  row("file", fmt::format("{:.0f} MiB", static_cast<double>(bytes) / (1 << 20)), "");
  resume(directory.path(), log.size());
  look(directory.path());
}

}  // namespace
}  // namespace betatune

int main(int argc, char** argv) {
  betatune::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 100'000);
  return 0;
}
