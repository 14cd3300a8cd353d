/// A trainer's slots where attempts take several: what it starts, and the credit that it tells.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainers/agent_core.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class AgentSlots : public ::testing::Test {
 protected:
  AgentSlots() : core_(options()) {
    core_.connected("session", now_);
    Welcome welcome;
    welcome.epoch = 1;
    welcome.beat_ms = 1'000;
    effects_ = core_.received(welcome, now_);
  }
  static AgentOptions options() {
    AgentOptions options;
    options.name = "trainer";
    options.slots = 4;
    return options;
  }

  void assign(std::uint64_t trial, int slots) {
    Assign assign;
    assign.trial = TrialId{trial};
    assign.attempt = AttemptId{1};
    assign.epoch = 1;
    assign.job.plugin = "wide";
    assign.job.ranks = assign.job.slots = slots;
    effects_ = core_.received(assign, now_);
  }
  void end(std::uint64_t trial) {
    const WorkKey key{TrialId{trial}, AttemptId{1}};
    core_.work_said(key, WorkerEnd{AttemptEnd::reached, 1, std::nullopt, ""}, now_);
    effects_ = core_.work_ended(key, ProcessEnd{}, now_);
  }
  std::vector<std::uint64_t> started() const {
    std::vector<std::uint64_t> all;
    for (const AgentEffect& each : effects_) {
      if (const auto* start = std::get_if<StartWork>(&each)) all.push_back(start->key.trial.n);
    }
    return all;
  }
  /// Types and credits, in their order.
  std::vector<std::string> said() const {
    std::vector<std::string> all;
    for (const AgentEffect& each : effects_) {
      const auto* send = std::get_if<SendMessage>(&each);
      if (send == nullptr) continue;
      if (const auto* ready = std::get_if<Ready>(&send->message)) {
        all.push_back("READY " + std::to_string(ready->credit));
      } else if (std::holds_alternative<Done>(send->message)) {
        all.emplace_back("DONE");
      }
    }
    return all;
  }

  Milliseconds now_{0};
  AgentCore core_;
  AgentEffects effects_;
};

TEST_F(AgentSlots, AreTakenByTheSlotsOfAnAttempt) {
  EXPECT_THAT(said(), ElementsAre("READY 4"));

  assign(0, 3);
  EXPECT_THAT(started(), ElementsAre(0));
  EXPECT_THAT(said(), IsEmpty()) << "the optimizer counts its assignments itself";

  end(0);
  EXPECT_THAT(said(), ElementsAre("DONE", "READY 4"));
}

TEST_F(AgentSlots, KeepWhatDoesNotFitWaitingInItsOrder) {
  assign(0, 3);
  assign(1, 2);
  EXPECT_THAT(started(), IsEmpty());
  assign(2, 1);
  EXPECT_THAT(started(), IsEmpty()) << "it would keep the wide one waiting";

  end(0);
  EXPECT_THAT(started(), ElementsAre(1, 2));
}

TEST_F(AgentSlots, LetOneThatIsWiderThanTheTrainerRunAlone) {
  assign(0, 9);
  EXPECT_THAT(started(), ElementsAre(0));
  assign(1, 1);
  EXPECT_THAT(started(), IsEmpty());
}

}  // namespace
}  // namespace betatune
