/// Durable trials per second, end to end: trainers that compute nothing speak the protocol over a
/// Unix socket to the real server, which records everything in SQLite (synchronous=FULL).

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "tests/support/served_study.hpp"
#include "tests/support/wire_trainer.hpp"

namespace {

using namespace betatune;
using Clock = std::chrono::steady_clock;

struct Figures {
  double seconds = 0;
  std::size_t trials = 0, reports = 0, events = 0, commits = 0;
};

Figures measure(const char* searcher, int trainers, int slots, int trials, int reports) {
  const support::TemporaryDirectory directory;
  std::string more = std::string("algorithm: {name: ") + searcher + ", scheduler: fifo}\n";
  if (reports > 1) more += "fidelity: {max: " + std::to_string(reports) + "}\n";
  support::ServedStudy study(support::simple_study(directory.path(), trials, more));
  const auto begin = Clock::now();
  study.start();
  std::vector<std::thread> threads;
  for (int i = 0; i < trainers; ++i) {
    threads.emplace_back([&, i] {
      support::WireTrainerOptions options;
      options.endpoint = study.bind().endpoint;
      options.name = "bench-" + std::to_string(i);
      options.slots = slots / trainers;
      options.repeat_after = std::chrono::seconds(5);
      support::WireTrainer(std::move(options)).run();
    });
  }
  const auto& end = study.wait();
  const std::chrono::duration<double> took = Clock::now() - begin;
  for (std::thread& thread : threads) thread.join();
  if (!end || end.value() != "trials") {
    std::fprintf(stderr, "the study ended otherwise: %s\n",
                 end ? end.value().c_str() : end.error().message.c_str());
    std::exit(1);
  }
  Figures figures;
  figures.seconds = took.count();
  for (const Event& event : study.observer().events()) {
    if (std::holds_alternative<TrialClosed>(event.fact)) ++figures.trials;
    if (std::holds_alternative<Reported>(event.fact)) ++figures.reports;
  }
  figures.events = study.observer().events().size();
  figures.commits = study.observer().batches();
  return figures;
}

void row(const char* what, const Figures& figures) {
  std::printf("%-44s %8zu %8.2f %10.0f %11.0f %10.1f\n", what, figures.trials, figures.seconds,
              static_cast<double>(figures.trials) / figures.seconds,
              static_cast<double>(figures.reports) / figures.seconds,
              static_cast<double>(figures.events) / static_cast<double>(figures.commits));
}

}  // namespace

int main() {
  std::printf("%-44s %8s %8s %10s %11s %10s\n", "no-op trainers over ipc, SQLite on disk", "trials",
              "s", "trials/s", "reports/s", "facts/txn");
  row("random, 1 trainer x 64 slots", measure("random", 1, 64, 10'000, 1));
  row("random, 8 trainers x 8 slots", measure("random", 8, 64, 10'000, 1));
  row("random, 1 trainer x 1 slot", measure("random", 1, 1, 500, 1));
  row("random, 64 slots, 10 reports per trial", measure("random", 1, 64, 4'000, 10));
  return 0;
}
