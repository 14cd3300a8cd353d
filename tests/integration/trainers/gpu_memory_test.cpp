/// A trial with GPUs begins when the memory of those before it is free, or is known not to get
/// free. The driver's library is a fake (tests/support/fake_nvml), whose file says who holds what.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;

/// The number of a process that has ended.
pid_t ended_process() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

class GpuMemoryOfTrials : public ::testing::Test {
 protected:
  void start(const std::string& visible = "GPU-a", std::vector<std::string> arguments = {}) {
    ::setenv("LD_LIBRARY_PATH", BETATUNE_BINARY_DIR "/tests/fake_nvml", 1);
    ::setenv("BETATUNE_FAKE_NVML", held_.c_str(), 1);
    ::setenv("CUDA_VISIBLE_DEVICES", visible.c_str(), 1);
    bench_.start(kTrainer, std::move(arguments));
    for (const char* name : {"LD_LIBRARY_PATH", "BETATUNE_FAKE_NVML", "CUDA_VISIBLE_DEVICES"}) {
      ::unsetenv(name);
    }
  }
  void held(const std::string& gpu, pid_t pid) const {
    std::ofstream(held_) << gpu << ' ' << pid << " 1048576\n";
  }
  void free() const { std::filesystem::remove(held_); }
  /// How often the fake was asked.
  long asked() const {
    const std::string lines = bench_.text("held.asked");
    return std::count(lines.begin(), lines.end(), '\n');
  }
  Assign trial(std::uint64_t n, const std::string& script = "") const {
    const std::string name = "began-" + std::to_string(n);
    Assign made = bench_.script(n, "echo yes > " + name + '\n' + script + "echo '{\"loss\": 1}'");
    made.job.gpus = 1;
    return made;
  }
  bool began(std::uint64_t n) const { return !bench_.text("began-" + std::to_string(n)).empty(); }
  bool serve_until_asked(long times) {
    return bench_.optimizer->serve_until([&] { return asked() >= times; });
  }

  TrainerBench bench_;
  const std::string held_ = (bench_.folder.path() / "held").string();
};

TEST_F(GpuMemoryOfTrials, IsWaitedForAndThenTheNextBegins) {
  start();
  held("GPU-a", ended_process());
  bench_.optimizer->assign(trial(0));
  ASSERT_TRUE(serve_until_asked(3));
  EXPECT_FALSE(began(0));

  free();

  ASSERT_TRUE(bench_.optimizer->serve_all());
  EXPECT_TRUE(began(0));
  EXPECT_EQ(bench_.optimizer->told(0).done->end, AttemptEnd::reached);
}

TEST_F(GpuMemoryOfTrials, ThatDoesNotGetFreeIsNamedAndNotWaitedForAgain) {
  start();
  const pid_t pid = ended_process();
  held("GPU-a", pid);
  bench_.run(trial(0));  // after ten seconds
  EXPECT_TRUE(began(0));
  const long before = asked();
  EXPECT_GT(before, 10);

  bench_.run(trial(1));

  EXPECT_EQ(asked(), before + 1);
}

TEST_F(GpuMemoryOfTrials, OfOtherProcessesOrOtherGpusIsNotWaitedFor) {
  start();
  std::ofstream(held_) << "GPU-a " << ::getpid() << " 1048576\n"
                       << "GPU-b " << ended_process() << " 1048576\n";

  const Done done = bench_.run(trial(0));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(asked(), 1);
}

TEST_F(GpuMemoryOfTrials, IsNotLookedAtForTrialsWithoutGpus) {
  start();
  held("GPU-a", ended_process());
  Assign made = trial(0);
  made.job.gpus = 0;

  bench_.run(made);

  EXPECT_EQ(asked(), 0);
}

TEST_F(GpuMemoryOfTrials, OfAGpuThatAnotherTrialUsesIsNotWaitedFor) {
  start("GPU-a", {"--slots", "2"});
  bench_.optimizer->assign(trial(0, "until [ -e go ]; do sleep 0.01; done\n"));
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return began(0); }));
  held("GPU-a", ended_process());

  bench_.optimizer->assign(trial(1));

  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return began(1); }));
  EXPECT_EQ(asked(), 1) << "before the first trial alone";
  std::ofstream(bench_.folder.path() / "go") << "yes";
  ASSERT_TRUE(bench_.optimizer->serve_all());
}

TEST_F(GpuMemoryOfTrials, LetsATrialThatIsNoLongerWantedEndBeforeItBegins) {
  start();
  held("GPU-a", ended_process());
  bench_.optimizer->assign(trial(0));
  ASSERT_TRUE(serve_until_asked(2));

  bench_.optimizer->send(Beat{1, {}, {Held{TrialId{0}, AttemptId{1}, 0, 0}}});
  // The slot is free for another, whose GPUs are not held.
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return bench_.optimizer->credit == 1; }));
  free();
  bench_.optimizer->assign(trial(1));

  ASSERT_TRUE(
      bench_.optimizer->serve_until([&] { return bench_.optimizer->told(1).done.has_value(); }));
  EXPECT_TRUE(began(1));
  EXPECT_FALSE(began(0));
}

TEST_F(GpuMemoryOfTrials, TellsAWaitingTrialToStopAsSoonAsItBegins) {
  start();
  held("GPU-a", ended_process());
  Assign made = trial(0,
                      "trap 'exit 0' TERM\necho '{\"step\": 1, \"loss\": 2}'\n"
                      "while :; do sleep 0.01; done\n");
  made.until = 9;
  bench_.optimizer->assign(made);
  ASSERT_TRUE(serve_until_asked(2));

  bench_.optimizer->decide(made.trial, made.attempt, Action::stop);
  ASSERT_TRUE(serve_until_asked(4));
  free();

  ASSERT_TRUE(bench_.optimizer->serve_all());
  EXPECT_EQ(bench_.optimizer->told(0).done->end, AttemptEnd::stopped);
}

}  // namespace
}  // namespace betatune::test
