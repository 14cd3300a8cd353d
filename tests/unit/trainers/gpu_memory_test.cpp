/// What counts as memory that a trial has left behind on a GPU.

#include "trainers/gpu_memory.hpp"

#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace betatune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr pid_t kEnded = 11, kOurs = 12, kOthers = 13;

Owner owner(pid_t pid) {
  return pid == kEnded ? Owner::nobody : pid == kOurs ? Owner::ours : Owner::others;
}

GpuMemory memory_of(std::vector<GpuHolder> holders) {
  return GpuMemory([holders](const auto&) { return holders; }, owner);
}

TEST(GpuMemory, IsLeftByWhatHasEndedOrIsOursAndNotByOthers) {
  const GpuHolder ended{"GPU-a", kEnded, 1}, ours{"GPU-a", kOurs, 2}, others{"GPU-a", kOthers, 3};

  EXPECT_THAT(memory_of({ended, ours, others}).left({"GPU-a"}), ElementsAre(ended, ours));
}

TEST(GpuMemory, ThatDoesNotGoAwayIsNotWaitedForAgainOnThatGpu) {
  const GpuHolder here{"GPU-a", kEnded, 1}, there{"GPU-b", kEnded, 1};
  GpuMemory memory = memory_of({here, there});

  memory.give_up({here});

  EXPECT_THAT(memory.left({"GPU-a", "GPU-b"}), ElementsAre(there));
}

TEST(GpuMemory, IsNotLookedAtAgainWhereTheDriverFails) {
  int asked = 0;
  GpuMemory memory(
      [&](const auto&) -> Result<std::vector<GpuHolder>> {
        ++asked;
        return Error{ErrorKind::unavailable, "NVML: GPU GPU-a: Not Found"};
      },
      owner);

  EXPECT_THAT(memory.left({"GPU-a"}), IsEmpty());
  EXPECT_THAT(memory.left({"GPU-a"}), IsEmpty());
  EXPECT_EQ(asked, 1);
}

TEST(GpuMemory, TextNamesProcessSizeAndGpu) {
  const std::string text = text_of({{"GPU-a", ::getpid(), 812u << 20}, {"0", 0, 0}});
  EXPECT_THAT(text, HasSubstr("process " + std::to_string(::getpid()) +
                              " (unit_trainers) holds "
                              "812 MiB of GPU GPU-a"));
  EXPECT_THAT(text, HasSubstr("; process 0 (ended) holds memory of GPU 0"));
}

TEST(GpuMemory, OwnersAreToldApart) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const pid_t grandchild = ::fork();
    if (grandchild == 0) {
      for (;;) ::pause();
    }
    [[maybe_unused]] const auto written = ::write(ends[1], &grandchild, sizeof grandchild);
    for (;;) ::pause();
  }
  pid_t grandchild = 0;
  ASSERT_EQ(::read(ends[0], &grandchild, sizeof grandchild), ssize_t{sizeof grandchild});

  EXPECT_EQ(owner_of(child), Owner::ours);
  EXPECT_EQ(owner_of(grandchild), Owner::ours);
  EXPECT_EQ(owner_of(::getppid()), Owner::others);
  ::kill(grandchild, SIGKILL);
  ::kill(child, SIGKILL);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(owner_of(child), Owner::nobody) << "a zombie";
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(owner_of(child), Owner::nobody) << "gone";
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace betatune
