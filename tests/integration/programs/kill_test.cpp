/// Real processes, and SIGKILL for any of them at any moment. Which process dies when is drawn from
/// a seed (BETATUNE_KILL_SEED; fixed if unset); what that interrupts is up to the machine.
/// Afterwards tests/support/check_log.py, which shares no code with the program, reads the log.

#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <mutex>

#include "configs/study_spec.hpp"
#include "optimizer/coordinator.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/store.hpp"
#include "searchspaces/random.hpp"
#include "tests/support/for_all.hpp"
#include "tests/support/marked_processes.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/wire_trainer.hpp"

namespace betatune {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int kMoreTrials = 40;

/// BETATUNE_KILLS; 10,000 with BETATUNE_LONG_TESTS.
int kills_wanted() {
  const bool is_long = std::getenv("BETATUNE_LONG_TESTS") != nullptr;
  return static_cast<int>(test::number_from_environment("BETATUNE_KILLS", is_long ? 10'000 : 60));
}
/// Far more than it takes.
std::chrono::seconds longest() {
  return std::chrono::seconds(180 + kills_wanted());
}

std::uint64_t seed() {
  const char* given = std::getenv("BETATUNE_KILL_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'240;
}

enum class Victim { optimizer, agent, worker };

class KillTest : public testing::Test {
 protected:
  /// LeakSanitizer looks for leaks in a process that shares the memory of the one that ends, which
  /// waits for it for ever if it is killed: it looks just like a worker.
  KillTest() {
    const char* given = std::getenv("ASAN_OPTIONS");
    const std::string options =
        (given == nullptr ? std::string() : std::string(given) + ":") + "detect_leaks=0";
    ::setenv("ASAN_OPTIONS", options.c_str(), 1);
  }
  void write_study(int trials, const std::string& rest) {
    trials_ = trials;
    std::ofstream(folder_ / "study.yaml")
        << "version: 1\nstudy: {name: killed, seed: 3}\nobjective: {metric: loss}\n"
           "parameters:\n  x: {type: float, min: -5, max: 10}\n"
           "  y: {type: float, min: 0, max: 15}\n"
           "storage: {path: study, checkpoints: {keep: 1, every: 1ms}}\n"
           "server: {lease: 3s}\n"
           "stopping: {trials: "
        << trials << "}\n"
        << rest;
  }

  void start_optimizer() {
    optimizer_ = family_.start(
        {std::string(BETATUNE_BINARY_DIR) + "/bin/betatune", "run", "study.yaml"}, "output.txt");
  }

  std::vector<pid_t> processes_of(Victim victim) const {
    std::vector<pid_t> found;
    for (const support::MarkedProcess& each : family_.alive()) {
      const Victim is = each.pid == optimizer_           ? Victim::optimizer
                        : each.has_argument("--connect") ? Victim::agent
                                                         : Victim::worker;
      if (is == victim) found.push_back(each.pid);
    }
    return found;
  }

  /// The optimizer's death takes everything that it started with it. It may have come to its end
  /// just before: then it is asked for more.
  void after_optimizer_was_killed(const std::string& rest) {
    const int status = support::wait_status(optimizer_);
    ASSERT_TRUE(status == -SIGKILL || status == 0) << status << output();
    ASSERT_TRUE(family_.dies_out()) << output();
    if (status == 0) write_study(trials_ + kMoreTrials, rest);
    start_optimizer();
  }

  void check_log(const std::string& more = {}) {
    const std::string report = (folder_ / "report.txt").string();
    const int status = std::system(
        fmt::format("python3 '{}/tests/support/check_log.py' '{}' --trials {} {} > '{}' 2>&1",
                    BETATUNE_SOURCE_DIR, (folder_ / "study").string(), trials_, more, report)
            .c_str());
    std::ifstream file(report);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    EXPECT_EQ(status, 0) << text;
    std::printf("%s", text.c_str());
  }

  /// What a fresh optimizer would know is the fold of the log, however it is read.
  void check_replay() {
    Diagnostics diagnostics;
    const auto spec =
        std::make_shared<const StudySpec>(load_study(folder_ / "study.yaml", diagnostics));
    ASSERT_TRUE(diagnostics.ok()) << diagnostics.render(false);
    const auto store = open_sqlite_store(folder_ / "study", OpenMode::read_only);
    ASSERT_TRUE(store) << store.error().message;
    const auto events = store.value()->read(0, 1'000'000);
    ASSERT_TRUE(events) << events.error().message;
    StudyState folded;
    for (const Event& event : events.value()) {
      const auto again = decode_fact(fact_type(event.fact), encode_fact(event.fact));
      ASSERT_TRUE(again);
      ASSERT_TRUE(apply(folded, Event{event.seq, event.at_us, again.value()}));
    }
    Policies policies{make_searcher(*spec, diagnostics), make_scheduler(*spec, diagnostics)};
    Coordinator coordinator(spec, std::move(policies), {});
    ASSERT_TRUE(coordinator.replay(events.value()));
    EXPECT_EQ(state_hash(coordinator.state()), state_hash(folded));
    EXPECT_EQ(folded.closed_count(), trials_);
  }

  std::string output() const {
    std::ifstream file(folder_ / "output.txt");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  support::TemporaryDirectory folder_;
  support::ProcessFamily family_{folder_.path()};
  pid_t optimizer_ = 0;
  int trials_ = 0;
};

TEST_F(KillTest, WhateverIsKilledTheStudyEndsWithExactlyItsTrials) {
  const std::string rest =
      "fidelity: {max: 4}\nalgorithm: {name: random, scheduler: asha}\n"
      "trials: {retry: {infra: 10000}}\nlauncher: {trainers: 2}\n"
      "trainer: {plugin: branin, config: {steps: 4, delay_ms: 10}}\n";
  write_study(kMoreTrials, rest);
  Stream choices(root_key(seed()));
  const int wanted = kills_wanted();
  std::map<Victim, int> kills;
  int killed = 0;
  start_optimizer();
  const auto give_up = Clock::now() + longest();

  while (Clock::now() < give_up) {
    const milliseconds pause(10 + static_cast<int>(choices.below(300)));
    std::this_thread::sleep_for(killed < wanted ? pause : milliseconds(50));
    if (const auto status = support::ended_status(optimizer_)) {
      ASSERT_EQ(*status, 0) << output();
      ASSERT_TRUE(family_.dies_out()) << output();
      if (killed >= wanted) break;
      write_study(trials_ + kMoreTrials, rest);  // a budget is a total, and may grow
      start_optimizer();
      continue;
    }
    if (killed >= wanted) continue;
    const std::uint64_t draw = choices.below(10);
    const Victim victim = draw < 4 ? Victim::optimizer : draw < 5 ? Victim::agent : Victim::worker;
    const std::vector<pid_t> candidates = processes_of(victim);
    if (candidates.empty()) continue;
    ::kill(candidates[choices.below(candidates.size())], SIGKILL);
    ++killed;
    ++kills[victim];
    if (victim == Victim::optimizer) {
      after_optimizer_was_killed(rest);
      if (HasFatalFailure()) return;
    }
  }

  ASSERT_LT(Clock::now(), give_up) << "the study does not end\n" << output();
  EXPECT_EQ(killed, wanted);
  std::printf("killed %d optimizers, %d agents, %d workers\n", kills[Victim::optimizer],
              kills[Victim::agent], kills[Victim::worker]);
  std::fflush(stdout);  // or every process that is forked from here on says it again
  EXPECT_GT(kills[Victim::optimizer], wanted / 6);
  EXPECT_GT(kills[Victim::worker], wanted / 6);
  check_log();
  check_replay();
}

// Trainers on other machines do not die with the optimizer: what they were told is durable must be,
// and what they do meanwhile counts.
TEST_F(KillTest, WhatATrainerWasToldIsDurableStaysWhenTheOptimizerIsKilled) {
  const std::string rest =
      "fidelity: {max: 5}\nalgorithm: {name: random, scheduler: fifo}\n"
      "trials: {retry: {infra: 10000}}\ntrainer: {external: true}\n";
  write_study(2'000, rest);
  std::mutex mutex;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> acknowledged;
  support::WireTrainerOptions options;
  options.endpoint = "ipc://" + (folder_ / "study" / "socket" / "optimizer").string();
  options.slots = 16;
  options.outlives_studies = true;
  options.repeat_after = milliseconds(100);
  options.loss = [](const Configuration& params, Step step) {
    return std::get<double>(params.at("x")) / static_cast<double>(step);
  };
  options.on_ack = [&](const Ack& ack) {
    const std::lock_guard lock(mutex);
    auto& seq = acknowledged[{ack.trial.n, ack.attempt.n}];
    seq = std::max(seq, ack.seq);
  };
  start_optimizer();
  support::WireTrainer trainer(std::move(options));
  std::thread thread([&] { trainer.run(); });
  Stream choices(root_key(seed() + 1));
  const int optimizer_kills = kills_wanted() / 3;
  const auto give_up = Clock::now() + longest();
  std::optional<int> status;

  for (int killed = 0; !status && Clock::now() < give_up;) {
    std::this_thread::sleep_for(milliseconds(20 + static_cast<int>(choices.below(300))));
    status = support::ended_status(optimizer_);
    if (status && *status == 0 && killed < optimizer_kills) {
      write_study(trials_ + 1'000, rest);
      start_optimizer();
      status.reset();
    } else if (!status && killed < optimizer_kills) {
      ::kill(optimizer_, SIGKILL);
      ++killed;
      support::wait_status(optimizer_);
      start_optimizer();
    }
  }
  trainer.stop();
  thread.join();

  ASSERT_TRUE(status) << "the study does not end\n" << output();
  EXPECT_EQ(*status, 0) << output();
  EXPECT_GE(acknowledged.size(), 2'000u);
  {
    std::ofstream file(folder_ / "acks.txt");
    for (const auto& [work, seq] : acknowledged) {
      file << work.first << ' ' << work.second << ' ' << seq << '\n';
    }
  }
  check_log("--acks '" + (folder_ / "acks.txt").string() + "'");
  check_replay();
}

}  // namespace
}  // namespace betatune
