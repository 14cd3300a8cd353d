/// What a trainer does as time goes by: its time limits, its patience, its repeated words. The time
/// is the test's.

#include <algorithm>
#include <gtest/gtest.h>
#include <optional>

#include "trainers/agent_core.hpp"

namespace betatune {
namespace {

constexpr WorkKey kWork{TrialId{0}, AttemptId{1}};

class AgentClock : public ::testing::Test {
 protected:
  static AgentOptions options() {
    AgentOptions options;
    options.name = "trainer";
    options.patience = Milliseconds(60'000);
    return options;
  }

  /// Connected, welcome, and at work on one attempt with these limits.
  void begin(std::int64_t wall_time_ms = 0, std::int64_t silence_ms = 0) {
    core_.connected("session", now_);
    Welcome welcome;
    welcome.epoch = 1;
    welcome.beat_ms = 1'000;
    core_.received(welcome, now_);
    Assign assign;
    assign.trial = kWork.trial;
    assign.attempt = kWork.attempt;
    assign.epoch = 1;
    assign.until = 1'000;
    assign.job.command = {"train"};
    assign.job.wall_time_ms = wall_time_ms;
    assign.job.silence_ms = silence_ms;
    effects_ = core_.received(assign, now_);
    ASSERT_EQ(count<StartWork>(), 1);
  }
  /// So much time passes, with an optimizer that answers if it is there.
  void pass(std::int64_t ms, bool optimizer = true) {
    now_ += Milliseconds(ms);
    if (optimizer) core_.received(Beat{1, {}, {}}, now_);
    effects_ = core_.tick(now_);
  }
  void report(Step step) { core_.work_said(kWork, WorkerReport{step, {{"loss", 1}}, {}}, now_); }
  void acknowledge(std::uint64_t seq) {
    core_.received(Ack{kWork.trial, kWork.attempt, seq, false}, now_);
  }
  /// The worker's end after it was asked to; what the optimizer is told of it.
  std::optional<Done> end_of_worker() {
    effects_ = core_.work_ended(kWork, ProcessEnd{}, now_);
    std::optional<Done> done;
    for (const Message& message : messages()) {
      if (const auto* found = std::get_if<Done>(&message)) done = *found;
    }
    return done;
  }

  template <class T>
  int count() const {
    return static_cast<int>(std::count_if(effects_.begin(), effects_.end(), [](const auto& each) {
      return std::holds_alternative<T>(each);
    }));
  }
  std::vector<Message> messages() const {
    std::vector<Message> sent;
    for (const AgentEffect& each : effects_) {
      if (const auto* send = std::get_if<SendMessage>(&each)) sent.push_back(send->message);
    }
    return sent;
  }
  template <class T>
  int sent() const {
    const auto all = messages();
    return static_cast<int>(std::count_if(
        all.begin(), all.end(), [](const auto& each) { return std::holds_alternative<T>(each); }));
  }

  Milliseconds now_{1'000'000};
  AgentCore core_{options()};
  AgentEffects effects_;
};

TEST_F(AgentClock, SilenceIsCountedFromTheLastReport) {
  begin(0, 5'000);
  for (Step step = 1; step <= 10; ++step) {
    pass(4'000);
    EXPECT_EQ(count<EndWork>(), 0) << step;
    report(step);
    acknowledge(static_cast<std::uint64_t>(step));
  }

  pass(5'001);

  EXPECT_EQ(count<EndWork>(), 1);
  const auto done = end_of_worker();
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->failure, FailureClass::timeout);
  EXPECT_EQ(done->step, 10);
  EXPECT_EQ(done->final_seq, 10u);
}

TEST_F(AgentClock, WallTimeIsCountedFromTheStartWhateverIsReported) {
  begin(10'000, 0);
  pass(6'000);
  report(1);
  pass(4'000);
  EXPECT_EQ(count<EndWork>(), 0);

  pass(1);

  EXPECT_EQ(count<EndWork>(), 1);
  EXPECT_EQ(end_of_worker()->failure, FailureClass::timeout);
}

TEST_F(AgentClock, AWorkerThatHadToWaitForItsReaderWasNotSilent) {
  begin(0, 5'000);
  for (Step step = 1; step <= static_cast<Step>(kReportsHeld); ++step) report(step);
  ASSERT_FALSE(core_.may_read(kWork));

  for (int i = 0; i < 5; ++i) {
    pass(4'000);
    EXPECT_EQ(count<EndWork>(), 0);
  }
}

TEST_F(AgentClock, AnOptimizerThatMissesTwoBeatsIsConnectedToAfreshAndHearsOfHeldWork) {
  begin();
  pass(1'000, false);
  EXPECT_EQ(sent<Beat>(), 1);
  pass(1'400, false);
  EXPECT_EQ(count<NewSession>(), 0);

  pass(200, false);

  EXPECT_EQ(count<NewSession>(), 1);
  EXPECT_EQ(count<EndWork>(), 0);
  effects_ = core_.connected("another session", now_);
  ASSERT_EQ(sent<Hello>(), 1);
  EXPECT_EQ(std::get<Hello>(messages().front()).held.size(), 1u);
}

TEST_F(AgentClock, PatienceIsCountedFromTheOptimizersLastWord) {
  begin();
  for (int i = 0; i < 4; ++i) pass(50'000);
  pass(60'000, false);
  EXPECT_EQ(count<TellWork>(), 0);

  pass(1, false);

  // Its trial is asked to save itself first.
  ASSERT_EQ(count<TellWork>(), 1);
  EXPECT_EQ(count<Leave>(), 0);
  effects_ = core_.work_ended(kWork, ProcessEnd{}, now_);
  ASSERT_EQ(count<Leave>(), 1);
  EXPECT_EQ(std::get<Leave>(effects_.back()).status, kExitResumable);
}

TEST_F(AgentClock, PatienceThatIsZeroNeverEnds) {
  AgentOptions forever = options();
  forever.patience = Milliseconds(0);
  core_ = AgentCore(forever);
  begin();

  pass(1'000'000'000, false);

  EXPECT_EQ(count<TellWork>() + count<Leave>(), 0);
}

TEST_F(AgentClock, AReportThatIsNotAcknowledgedIsSentAgain) {
  begin();
  effects_ = core_.work_said(kWork, WorkerReport{1, {{"loss", 1}}, {}}, now_);
  EXPECT_EQ(sent<Report>(), 1);

  pass(5'000);
  EXPECT_EQ(sent<Report>(), 1);

  acknowledge(1);
  pass(60'000);
  EXPECT_EQ(sent<Report>(), 0);
}

TEST_F(AgentClock, AnAssignmentOfAnOlderOptimizerIsIgnored) {
  begin();
  Assign stale;
  stale.trial = TrialId{7};
  stale.attempt = AttemptId{1};
  stale.epoch = 0;

  effects_ = core_.received(stale, now_);

  EXPECT_EQ(count<StartWork>(), 0);
  EXPECT_EQ(core_.work().size(), 1u);
}

}  // namespace
}  // namespace betatune
