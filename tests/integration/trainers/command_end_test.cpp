/// How a command ended decides the class of its failure, and so whether its trial is tried again
/// (docs/command-trainer.md, "The end").

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "searchspaces/limits.hpp"
#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CommandTrainer, ExitCodeZeroAfterTheObjectiveReachesTheGoal) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(bench.script(0, "echo '{\"loss\": 0.5}'"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(done.failure, std::nullopt);
  EXPECT_EQ(bench.optimizer->told(0).last("loss"), 0.5);
  EXPECT_THAT(bench.optimizer->told(0).steps(), ElementsAre(1));
}

struct CommandCase {
  const char* name;
  const char* script;
  FailureClass failure;
  const char* words;  ///< of the message that a person reads
};

void PrintTo(const CommandCase& each, std::ostream* out) {
  *out << each.name;
}

class CommandFailure : public ::testing::TestWithParam<CommandCase> {};

TEST_P(CommandFailure, HasItsClassAndTheNextTrialRuns) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(bench.script(0, GetParam().script));

  EXPECT_EQ(done.end, AttemptEnd::failed);
  ASSERT_TRUE(done.failure.has_value());
  EXPECT_STREQ(to_name(*done.failure), to_name(GetParam().failure)) << done.message;
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  EXPECT_LE(done.message.size(), limits::kErrorTextBytes);
  const Done next = bench.run(bench.script(1, "echo '{\"loss\": 1}'"));
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
}

INSTANTIATE_TEST_SUITE_P(
    All, CommandFailure,
    ::testing::Values(
        CommandCase{"ExitCodeZeroWithoutReport", "true", FailureClass::user,
                    "never reported `loss`"},
        CommandCase{"ExitCodeZeroWithAnotherMetricOnly", "echo '{\"accuracy\": 1}'",
                    FailureClass::user, "never reported `loss`"},
        CommandCase{"ExitCodeThree", "echo 'no such data set' >&2; exit 3", FailureClass::user,
                    "exit status 3 before its work was done\nits last output:\nno such data set"},
        CommandCase{"ExitCodeOneAfterReports", "echo '{\"loss\": 1}'; exit 1", FailureClass::user,
                    "exit status 1"},
        CommandCase{"Segfault", "kill -SEGV $$", FailureClass::user, "SIGSEGV"},
        CommandCase{"SegfaultBelowAShell", "exit 139", FailureClass::user, "SIGSEGV"},
        CommandCase{"Abort", "kill -ABRT $$", FailureClass::user, "SIGABRT"},
        CommandCase{"KilledFromOutside", "kill -KILL $$", FailureClass::infra,
                    "SIGKILL from outside"},
        CommandCase{"KilledBelowAShell", "exit 137", FailureClass::infra, "SIGKILL"},
        CommandCase{"TerminatedFromOutside", "kill -TERM $$", FailureClass::infra,
                    "SIGTERM from outside"},
        CommandCase{"CudaMemoryRanOut",
                    "echo 'RuntimeError: CUDA out of memory. Tried to allocate 2 GiB' >&2; exit 1",
                    FailureClass::oom, "CUDA out of memory"},
        CommandCase{"PythonMemoryRanOut", "echo MemoryError >&2; exit 1", FailureClass::oom,
                    "MemoryError"},
        CommandCase{"TheDiskWasFull",
                    "echo 'OSError: [Errno 28] No space left on device' >&2; exit 1",
                    FailureClass::infra, "No space left"},
        CommandCase{"ItsOwnWord",
                    "echo '{\"failed\": \"oom\", \"message\": \"16 GiB wanted\"}'; exit 1",
                    FailureClass::oom, "16 GiB wanted"},
        CommandCase{"ItsOwnWordBeforeExitCodeZero", "echo '{\"failed\": \"diverged\"}'",
                    FailureClass::diverged, ""},
        CommandCase{"ItsOwnWordThatIsNoClass", "echo '{\"failed\": \"badly\"}'", FailureClass::user,
                    "badly"}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(CommandTrainer, SaysThatTheProgramIsNotThere) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(bench.command(0, {"no-such-program-at-all"}));

  EXPECT_EQ(done.failure, FailureClass::user);
  EXPECT_THAT(done.message, HasSubstr("cannot run `no-such-program-at-all`"));
  EXPECT_THAT(done.message, HasSubstr("in PATH"));
}

TEST(CommandTrainer, SaysHowToMakeTheProgramExecutable) {
  TrainerBench bench;
  bench.start(kTrainer);
  std::ofstream(bench.folder.path() / "train.sh") << "#!/bin/sh\n";

  const Done done = bench.run(bench.command(0, {"./train.sh"}));

  EXPECT_EQ(done.failure, FailureClass::user);
  EXPECT_THAT(done.message, HasSubstr("chmod +x"));
}

TEST(CommandTrainer, AFailedAttemptLeavesItsLogButNoScratchAndNoCheckpoint) {
  TrainerBench bench;
  bench.start(kTrainer);

  bench.run(bench.script(0,
                         "echo state > $BETATUNE_CHECKPOINT_DIR/state\n"
                         "echo cache > $BETATUNE_SCRATCH_DIR/cache\n"
                         "echo the last words; exit 1"));

  EXPECT_EQ(bench.optimizer->told(0).checkpoint(), std::nullopt);
  EXPECT_EQ(bench.text("trials/0/attempt-1/log"), "the last words\n");
  const auto gone = [&](const char* name) {
    return bench.optimizer->serve_until(
        [&] { return !std::filesystem::exists(bench.folder.path() / name); });
  };
  EXPECT_TRUE(gone("trials/0/attempt-1/scratch"));
  EXPECT_TRUE(gone("checkpoints/trial-0/attempt-1-next.tmp"));
}

}  // namespace
}  // namespace betatune::test
