#include "trainers/failures.hpp"

#include <csignal>
#include <gtest/gtest.h>

namespace betatune {
namespace {

int exited(int status) {
  return status << 8;  // as waitpid tells it
}

FailureClass class_of(const ProcessEnd& end) {
  return failure_of(end, "the command").kind;
}

TEST(FailureClass, OfAKillIsOomOnlyIfTheKernelRanOutOfMemory) {
  EXPECT_EQ(class_of({SIGKILL, true, ""}), FailureClass::oom);
  EXPECT_EQ(class_of({SIGKILL, false, ""}), FailureClass::infra);
}

TEST(FailureClass, OfAKillThatAShellTellsOfIsTheSame) {
  EXPECT_EQ(class_of({exited(137), true, ""}), FailureClass::oom);
  EXPECT_EQ(class_of({exited(137), false, ""}), FailureClass::infra);
}

TEST(FailureClass, OfACrashIsNotOomThoughTheKernelEndedAnotherProcess) {
  EXPECT_EQ(class_of({SIGSEGV, true, ""}), FailureClass::user);
  EXPECT_EQ(class_of({exited(1), true, ""}), FailureClass::user);
}

TEST(FailureClass, OfTheCpuTimeLimitIsTimeout) {
  EXPECT_EQ(class_of({SIGXCPU, false, ""}), FailureClass::timeout);
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
