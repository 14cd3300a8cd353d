#pragma once
/// A served study and trainers of it in threads, for the tests of the server.

#include <gtest/gtest.h>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/served_study.hpp"
#include "tests/support/wire_trainer.hpp"

namespace betatune::support {

/// Wrapped, so that a test's end ends the trainer too.
class TrainerThread {
 public:
  explicit TrainerThread(WireTrainerOptions options)
      : trainer_(std::move(options)), thread_([this] { trainer_.run(); }) {}
  ~TrainerThread() { join(); }
  TrainerThread(const TrainerThread&) = delete;
  TrainerThread& operator=(const TrainerThread&) = delete;

  WireTrainer& join() {
    if (thread_.joinable()) {
      trainer_.stop();
      thread_.join();
    }
    return trainer_;
  }
  /// Waits for the trainer's own end.
  WireTrainer& wait() {
    if (thread_.joinable()) thread_.join();
    return trainer_;
  }

 private:
  WireTrainer trainer_;
  std::thread thread_;
};

class ServerTest : public ::testing::Test {
 protected:
  WireTrainerOptions trainer_of(const ServedStudy& study, const std::string& name = "wire") {
    WireTrainerOptions options;
    options.endpoint = study.bind().endpoint;
    options.token = study.bind().token;
    options.name = name;
    options.slots = 8;
    options.loss = [](const Configuration& params, Step step) {
      return std::get<double>(params.at("x")) + 1.0 / static_cast<double>(step);
    };
    return options;
  }

  static std::vector<Event> stored_events(ServedStudy& study) {
    const auto events = study.session().store->read(0, 1'000'000);
    EXPECT_TRUE(events) << events.error().message;
    return events ? events.value() : std::vector<Event>{};
  }

  TemporaryDirectory directory_;
};

inline std::size_t count_closed(const std::vector<Event>& events) {
  std::size_t closed = 0;
  for (const Event& event : events) {
    if (std::holds_alternative<TrialClosed>(event.fact)) ++closed;
  }
  return closed;
}

inline void expect_each_report_once(const std::vector<Event>& events) {
  std::map<std::pair<TrialId, AttemptId>, std::uint64_t> last;
  for (const Event& event : events) {
    const auto* reported = std::get_if<Reported>(&event.fact);
    if (reported == nullptr) continue;
    std::uint64_t& seq = last[{reported->trial, reported->attempt}];
    EXPECT_EQ(reported->seq, seq + 1) << "trial " << reported->trial.n;
    seq = reported->seq;
  }
}

}  // namespace betatune::support
