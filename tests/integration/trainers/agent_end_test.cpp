/// How a trainer ends: with the study, when it loses its patience, when it is asked to once and
/// twice. Whatever the way, its trials are saved where they can be, and no process stays.

#include <csignal>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"
#include "tests/support/eventually.hpp"

namespace betatune::test {
namespace {

using support::eventually;

constexpr int kResumable = 75;

/// Saves when it is asked to end; a shell notices that only between its commands.
constexpr const char* kSaves =
    "trap 'echo saved > $BETATUNE_CHECKPOINT_DIR/state; exit 0' TERM\n"
    "echo '{\"step\": 1, \"loss\": 4}'\n"
    "while :; do sleep 0.01; done\n";
constexpr const char* kIgnores =
    "trap '' TERM\n"
    "echo '{\"step\": 1, \"loss\": 4}'\n"
    "while :; do sleep 0.01; done\n";

class AgentEnd : public ::testing::Test {
 protected:
  /// Runs a script of nine steps until its first report.
  void start(const std::string& script, std::vector<std::string> arguments = {}) {
    bench_.start(kTrainer, std::move(arguments));
    Assign made = bench_.script(0, script);
    made.until = 9;
    bench_.optimizer->assign(made);
    ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !told().reports.empty(); }));
  }
  /// A plug-in's nine steps of a tenth of a second, until its first report.
  void start_branin() {
    bench_.start(kTrainer);
    Assign made = bench_.assign(0, BETATUNE_BINARY_DIR "/plugins/branin.so");
    made.until = 9;
    made.params = {{"x", 1.0}, {"y", 2.0}};
    made.job.config = {{"steps", 9}, {"delay_ms", 100}};
    bench_.optimizer->assign(made);
    ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !told().reports.empty(); }));
  }
  void signal_all(int signal, pid_t but = 0) {
    for (const pid_t pid : processes_with(bench_.mark())) {
      if (pid != but) ::kill(pid, signal);
    }
  }
  /// The exit status, once the trainer has ended by itself; -1000 if it does not.
  int end_of_trainer() {
    const bool ended =
        bench_.optimizer != nullptr
            ? bench_.optimizer->serve_until([&] { return !bench_.trainer->running(); })
            : eventually([&] { return !bench_.trainer->running(); });
    return ended ? bench_.trainer->wait() : -1'000;
  }
  void expect_no_process_left() {
    EXPECT_TRUE(eventually([&] { return processes_with(bench_.mark()).empty(); }));
  }
  const Told& told() { return bench_.optimizer->told(0); }

  TrainerBench bench_;
};

TEST_F(AgentEnd, IsZeroWhenTheStudyIsOver) {
  bench_.start(kTrainer);
  bench_.run(bench_.script(0, "echo '{\"loss\": 1}'"));

  bench_.optimizer->send(Bye{"trials", true});

  EXPECT_EQ(end_of_trainer(), 0);
  expect_no_process_left();
}

TEST_F(AgentEnd, FinishesWhatRunsWhenTheStudyDrains) {
  start(
      "echo '{\"step\": 1, \"loss\": 4}'; until [ -e go ]; do sleep 0.01; done\n"
      "echo '{\"step\": 9, \"loss\": 2}'");

  bench_.optimizer->send(Bye{"drained", true});
  std::ofstream(bench_.folder.path() / "go") << "yes";

  EXPECT_EQ(end_of_trainer(), 0);
  ASSERT_TRUE(told().done.has_value());
  EXPECT_EQ(told().done->end, AttemptEnd::reached);
  EXPECT_EQ(told().last("loss"), 2);
}

TEST_F(AgentEnd, IsResumableWhenNoOptimizerEverAnswers) {
  bench_.optimizer.reset();
  bench_.start(kTrainer, {"--patience", "0.2"});

  EXPECT_EQ(end_of_trainer(), kResumable);
}

TEST_F(AgentEnd, IsResumableWhenItsOptimizerStaysAwayAndItsTrialIsSaved) {
  start(kSaves, {"--patience", "1"});
  bench_.optimizer.reset();

  EXPECT_EQ(end_of_trainer(), kResumable);

  EXPECT_EQ(bench_.text("checkpoints/trial-0/attempt-1-step-1/state"), "saved\n");
  expect_no_process_left();
}

TEST_F(AgentEnd, OneSigtermSavesTheTrialAndTellsWhereBeforeItLeaves) {
  start(kSaves);

  bench_.trainer->signal(SIGTERM);

  EXPECT_EQ(end_of_trainer(), kResumable);
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return bench_.optimizer->byes.size() == 2; }));
  EXPECT_TRUE(bench_.optimizer->byes[0].drain);
  EXPECT_FALSE(bench_.optimizer->byes[1].drain);
  // Nobody has decided that this attempt is over: it goes on elsewhere, from here.
  EXPECT_EQ(told().done, std::nullopt);
  ASSERT_TRUE(told().checkpoint().has_value());
  EXPECT_EQ(told().checkpoint()->step, 1);
  EXPECT_EQ(bench_.text(told().checkpoint()->uri + "/state"), "saved\n");
  expect_no_process_left();
}

TEST_F(AgentEnd, OneSigintDoesTheSame) {
  start(kSaves);

  bench_.trainer->signal(SIGINT);

  EXPECT_EQ(end_of_trainer(), kResumable);
  EXPECT_TRUE(bench_.optimizer->serve_until([&] { return told().checkpoint().has_value(); }));
}

TEST_F(AgentEnd, OneSigtermIsEnoughWhereNothingRuns) {
  bench_.start(kTrainer);
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return bench_.optimizer->credit == 1; }));

  bench_.trainer->signal(SIGTERM);

  EXPECT_EQ(end_of_trainer(), kResumable);
  expect_no_process_left();
}

TEST_F(AgentEnd, ASecondSigtermEndsItAtOnceWithAllItsProcesses) {
  start(kIgnores);
  bench_.trainer->signal(SIGTERM);
  // The first one has been taken: it was told.
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !bench_.optimizer->byes.empty(); }));
  bench_.trainer->signal(SIGTERM);  // the same once more, as srun passes on what Slurm sent to all
  const auto later = std::chrono::steady_clock::now() + std::chrono::milliseconds(1'200);
  ASSERT_TRUE(
      bench_.optimizer->serve_until([&] { return std::chrono::steady_clock::now() > later; }));
  ASSERT_TRUE(bench_.trainer->running());

  bench_.trainer->signal(SIGTERM);

  EXPECT_EQ(end_of_trainer(), kResumable);
  expect_no_process_left();
}

// As Slurm ends a job: every process of it gets the signal, ours and the command's.
TEST_F(AgentEnd, ASigtermToAllProcessesOfTheJobSavesTheTrial) {
  start(kSaves);

  signal_all(SIGTERM);

  EXPECT_EQ(end_of_trainer(), kResumable);
  EXPECT_EQ(told().done, std::nullopt);
  ASSERT_TRUE(told().checkpoint().has_value());
  EXPECT_EQ(bench_.text(told().checkpoint()->uri + "/state"), "saved\n");
  expect_no_process_left();
}

TEST_F(AgentEnd, ASigtermToAllProcessesOfTheJobSavesAPluginsTrial) {
  start_branin();

  signal_all(SIGTERM);

  EXPECT_EQ(end_of_trainer(), kResumable);
  EXPECT_EQ(told().done, std::nullopt);
  ASSERT_TRUE(told().checkpoint().has_value());
  EXPECT_GE(told().checkpoint()->step, 1);
  expect_no_process_left();
}

TEST_F(AgentEnd, ASigusr1ToAllProcessesOfTheJobLetsAPluginsTrialFinish) {
  start_branin();

  signal_all(SIGUSR1);

  EXPECT_EQ(end_of_trainer(), kResumable);
  ASSERT_TRUE(told().done.has_value());
  EXPECT_EQ(told().done->end, AttemptEnd::reached);
  EXPECT_EQ(told().steps().back(), 9);
}

TEST_F(AgentEnd, ASigusr1ToAllProcessesOfTheJobLetsACommandFinish) {
  start(
      "echo '{\"step\": 1, \"loss\": 4}'; until [ -e go ]; do sleep 0.01; done\n"
      "echo '{\"step\": 9, \"loss\": 2}'");
  signal_all(SIGUSR1);
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !bench_.optimizer->byes.empty(); }));
  std::ofstream(bench_.folder.path() / "go") << "yes";

  EXPECT_EQ(end_of_trainer(), kResumable);
  ASSERT_TRUE(told().done.has_value());
  EXPECT_EQ(told().done->end, AttemptEnd::reached);
}

// A command that saves and exits well would look as if it had trained to the end.
TEST_F(AgentEnd, ACommandThatASigtermOfOthersEndsHasNotReachedItsEnd) {
  start(kSaves);

  signal_all(SIGTERM, /*but=*/bench_.trainer->pid());

  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return told().done.has_value(); }));
  EXPECT_EQ(told().done->end, AttemptEnd::failed);
  ASSERT_TRUE(told().done->failure.has_value());
  EXPECT_EQ(*told().done->failure, FailureClass::infra);
  EXPECT_THAT(told().done->message, testing::HasSubstr("SIGTERM"));
}

TEST_F(AgentEnd, Sigusr1LetsTheTrialFinishAndTakesNoOther) {
  start(
      "echo '{\"step\": 1, \"loss\": 4}'; until [ -e go ]; do sleep 0.01; done\n"
      "echo '{\"step\": 9, \"loss\": 2}'");
  bench_.trainer->signal(SIGUSR1);
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return !bench_.optimizer->byes.empty(); }));
  std::ofstream(bench_.folder.path() / "go") << "yes";

  EXPECT_EQ(end_of_trainer(), kResumable);

  ASSERT_TRUE(told().done.has_value());
  EXPECT_EQ(told().done->end, AttemptEnd::reached);
  EXPECT_EQ(bench_.optimizer->credit, 0);
}

TEST_F(AgentEnd, WrongUsageIsTwo) {
  bench_.trainer = std::make_unique<TrainerProcess>(kTrainer, "nonsense://nowhere");

  EXPECT_EQ(end_of_trainer(), 2);
}

TEST_F(AgentEnd, ATokenThatIsRefusedIsSeven) {
  bench_.start(kTrainer);
  ASSERT_TRUE(bench_.optimizer->serve_until([&] { return bench_.optimizer->credit == 1; }));

  bench_.optimizer->send(Refusal{"bad_token", true, "the token is not this study's", {}, {}});

  EXPECT_EQ(end_of_trainer(), 7);
}

}  // namespace
}  // namespace betatune::test
