#include "trainers/failures.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace betatune {
namespace {

using ::testing::HasSubstr;

int exited(int status) {
  return status << 8;  // as waitpid tells it
}

ProcessEnd ended(int wait_status, bool oom_killer) {
  ProcessEnd end;
  end.wait_status = wait_status;
  end.oom_killer = oom_killer;
  return end;
}

FailureClass class_of(const ProcessEnd& end) {
  return failure_of(end, "the command").kind;
}

TEST(FailureClass, OfAKillIsOomOnlyIfTheKernelRanOutOfMemory) {
  EXPECT_EQ(class_of(ended(SIGKILL, true)), FailureClass::oom);
  EXPECT_EQ(class_of(ended(SIGKILL, false)), FailureClass::infra);
}

TEST(FailureClass, OfAKillThatAShellTellsOfIsTheSame) {
  EXPECT_EQ(class_of(ended(exited(137), true)), FailureClass::oom);
  EXPECT_EQ(class_of(ended(exited(137), false)), FailureClass::infra);
}

TEST(FailureClass, OfACrashIsNotOomThoughTheKernelEndedAnotherProcess) {
  EXPECT_EQ(class_of(ended(SIGSEGV, true)), FailureClass::user);
  EXPECT_EQ(class_of(ended(exited(1), true)), FailureClass::user);
}

TEST(FailureClass, OfTheCpuTimeLimitIsTimeout) {
  EXPECT_EQ(class_of(ended(SIGXCPU, false)), FailureClass::timeout);
}

TEST(FailureOfARank, NamesIt) {
  ProcessEnd end = ended(SIGKILL, false);
  end.rank = 2;
  EXPECT_THAT(failure_of(end, "the trainer").message, HasSubstr("rank 2 of the trainer"));
}

TEST(FailureOfARank, ThatTheForkServerEndedIsTheMachinesAndSaysWhy) {
  ProcessEnd end = ended(SIGKILL, false);
  end.note = "rank 1 was stopped";
  const AttemptFailure failure = failure_of(end, "the trainer");
  EXPECT_EQ(failure.kind, FailureClass::infra);
  EXPECT_THAT(failure.message, HasSubstr("rank 1 was stopped"));
}

TEST(EndingSignal, IsAProcessesOwnOrTheOneThatItsShellTellsOf) {
  EXPECT_EQ(ending_signal(SIGKILL), SIGKILL);
  EXPECT_EQ(ending_signal(exited(128 + SIGKILL)), SIGKILL);
  EXPECT_EQ(ending_signal(exited(0)), 0);
  EXPECT_EQ(ending_signal(exited(1)), 0);
  EXPECT_EQ(ending_signal(exited(128)), 0);
  EXPECT_EQ(ending_signal(exited(255)), 0);
}

}  // namespace
}  // namespace betatune
