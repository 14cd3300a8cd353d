#pragma once
/// The core of betatune-trainer in the hands of a row of docs/protocol.md's tables.

#include <algorithm>
#include <string>
#include <vector>

#include "trainers/agent_core.hpp"

namespace betatune::support {

inline constexpr WorkKey kTrial0{TrialId{0}, AttemptId{1}};
inline constexpr Milliseconds kBeat{1'000};

inline Assign assignment(std::uint64_t trial, std::uint64_t attempt, std::uint64_t epoch = 2) {
  Assign assign;
  assign.trial = TrialId{trial};
  assign.attempt = AttemptId{attempt};
  assign.epoch = epoch;
  assign.until = 9;
  assign.job.command = {"train"};
  return assign;
}

/// A trainer of two slots in the hands of a row: what it does is said, and its states are told in
/// the words of the tables.
class TrainerInState {
 public:
  TrainerInState() : core_(AgentOptions{"trainer", "", 2}) {}

  void connect() { take(core_.connected("session", now_)); }
  void hear(const Message& message) { take(core_.received(message, now_)); }
  void welcome(std::vector<Held> keep = {}) {
    Welcome message;
    message.epoch = 2;
    message.beat_ms = kBeat.count();
    message.keep = std::move(keep);
    hear(message);
  }
  /// Welcome, with the first attempt of trial 0 at work.
  void begin() {
    connect();
    welcome();
    hear(assignment(0, 1));
  }
  void report(Step step) {
    take(core_.work_said(kTrial0, WorkerReport{step, {{"loss", 1}}, {}}, now_));
  }
  void end_work() {
    take(core_.work_said(kTrial0, WorkerEnd{AttemptEnd::reached, 9, {}, ""}, now_));
    take(core_.work_ended(kTrial0, ProcessEnd{}, now_));
  }
  void acknowledge(std::uint64_t seq, bool done = false) {
    hear(Ack{kTrial0.trial, kTrial0.attempt, seq, done});
  }
  void lose_connection() { take(core_.disconnected(now_)); }
  void drain() { take(core_.drain("enough", now_)); }
  void pass(Milliseconds time) {
    now_ += time;
    take(core_.tick(now_));
  }

  std::string session() const {
    if (left_) return "-";
    if (!connected_) return "none";
    if (!core_.welcome()) return "greeting";
    // One that leaves takes no more.
    AgentCore copy = core_;
    const auto has_started = [](const AgentEffect& each) {
      return std::holds_alternative<StartWork>(each);
    };
    return std::ranges::any_of(copy.received(assignment(99, 1), now_), has_started) ? "welcome"
                                                                                    : "leaving";
  }
  std::string attempt(const WorkKey& key = kTrial0) const {
    const auto found = core_.work().find(key);
    if (found == core_.work().end() || found->second.unwanted) return "-";
    return found->second.state == Work::State::ended ? "ended" : "running";
  }
  const AgentCore& core() const { return core_; }
  std::vector<Message> said;
  bool ended_work = false;

 private:
  void take(AgentEffects effects) {
    for (const AgentEffect& each : effects) {
      if (const auto* message = std::get_if<SendMessage>(&each)) {
        said.push_back(message->message);
        if (std::holds_alternative<Hello>(message->message)) connected_ = true;
      }
      if (std::holds_alternative<NewSession>(each)) connected_ = false;
      if (std::holds_alternative<EndWork>(each)) ended_work = true;
      if (std::holds_alternative<Leave>(each)) left_ = true;
    }
  }

  AgentCore core_;
  Milliseconds now_{1'000'000};
  bool connected_ = false, left_ = false;
};

}  // namespace betatune::support
