/// A command that is started once per rank: its processes end together, whatever happens to one of
/// them, and the one that it happened to is named.

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

/// `meets` and `waits` are as ranks that want each other's gradients: who waits fails when the one
/// that has met it is gone.
constexpr const char* kJoined =
    "mkfifo link 2> /dev/null\n"
    "meets() { exec 3> link; }\n"
    "waits() { read nothing < link; echo 'connection closed by peer'; exit 1; }\n";
/// Returns when all ranks are there.
constexpr const char* kMeetAll =
    "touch here-$RANK; while [ $(ls -d here-* | wc -l) -lt $WORLD_SIZE ]; do sleep 0.01; done\n";
constexpr const char* kForEver = "while :; do sleep 0.01; done";
constexpr const char* kOneReport = "echo '{\"step\": 1, \"loss\": 4}'\n";

class CommandRanks : public ::testing::Test {
 protected:
  void start(std::vector<std::string> arguments = {"--grace", "20"}) {
    bench_.start(kTrainer, std::move(arguments));
  }
  Assign gang(int ranks, const std::string& script, std::uint64_t trial = 0) const {
    Assign made = bench_.script(trial, script);
    made.job.per_rank = true;
    made.job.ranks = made.job.cpus = ranks;
    made.until = 9;
    return made;
  }
  std::string log(int rank, std::uint64_t trial = 0) const {
    return bench_.text("trials/" + std::to_string(trial) + "/attempt-1/log" +
                       (rank == 0 ? "" : ".rank-" + std::to_string(rank)));
  }
  const Told& told() { return bench_.optimizer->told(0); }
  /// Decides once rank 0 has reported, and serves until the end.
  Done decide(const Assign& made, Action action) {
    bench_.optimizer->on_report = [this, action](const Report& report) {
      if (report.seq == 1) bench_.optimizer->decide(report.trial, report.attempt, action);
    };
    const Done done = bench_.run(made);
    bench_.optimizer->on_report = {};
    return done;
  }

  TrainerBench bench_;
};

TEST_F(CommandRanks, KnowTheirPlacesAndHaveALogEach) {
  start();
  Assign made = gang(3,
                     "echo rank $RANK of $WORLD_SIZE, $BETATUNE_CPUS cpus, $OMP_NUM_THREADS "
                     "threads\n"
                     "echo complaint of $LOCAL_RANK >&2\n" +
                         std::string(kOneReport));
  made.job.cpus = 6;

  const Done done = bench_.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  for (int rank = 0; rank < 3; ++rank) {
    const std::string self = std::to_string(rank);
    EXPECT_THAT(log(rank), AllOf(HasSubstr("rank " + self + " of 3, 2 cpus, 2 threads\n"),
                                 HasSubstr("complaint of " + self + "\n")));
  }
}

TEST_F(CommandRanks, OfOneAreToldSo) {
  start();

  const Done done = bench_.run(gang(
      1, "test $WORLD_SIZE = 1 && test $MASTER_PORT -gt 0 || exit 1\n" + std::string(kOneReport)));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

TEST_F(CommandRanks, OnlyRankZeroIsHeardOfMetrics) {
  start();

  const Done done = bench_.run(gang(3,
                                    "echo \"{\\\"step\\\": 9, \\\"loss\\\": $RANK}\"\n"
                                    "echo \"{\\\"loss\\\": $RANK}\" >> $BETATUNE_METRICS_FILE\n"
                                    "[ $RANK = 0 ] || echo '{\"step\": \"nine\", \"loss\": 1}'"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(told().reports.size(), 2u);
  for (const Report& report : told().reports) EXPECT_EQ(report.metrics.at("loss"), 0);
}

/// As under torchrun, whose scripts pick theirs by LOCAL_RANK.
TEST_F(CommandRanks, SeeAllGpusOfTheTrial) {
  ::setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c,GPU-d", 1);
  start();
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  Assign made = gang(2, "echo sees $CUDA_VISIBLE_DEVICES.\n" + std::string(kOneReport));
  made.job.gpus = 2;

  const Done done = bench_.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  for (int rank = 0; rank < 2; ++rank) EXPECT_THAT(log(rank), HasSubstr("sees GPU-a,GPU-b.\n"));
}

TEST_F(CommandRanks, OfTwoTrialsMeetAtDifferentPorts) {
  start({"--slots", "2"});
  // Each waits for the other, so both are there at once.
  const std::string script = "echo $MASTER_PORT > port-$BETATUNE_TRIAL\n" +
                             std::string(
                                 "until [ -s port-0 ] && [ -s port-1 ]; do sleep 0.01; "
                                 "done\n") +
                             kOneReport;
  bench_.optimizer->assign(gang(2, script, 0));
  bench_.optimizer->assign(gang(2, script, 1));

  ASSERT_TRUE(bench_.optimizer->serve_all());

  EXPECT_NE(bench_.text("port-0"), bench_.text("port-1"));
}

TEST_F(CommandRanks, OtherThanZeroMayEndFirst) {
  start();
  Assign made = gang(2, "[ $RANK = 1 ] && exit 0\nsleep 0.3\n" + std::string(kOneReport));
  made.job.rank_timeout_ms = 100;

  const Done done = bench_.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

struct BadRankCase {
  const char* name;
  int rank;
  const char* script;  ///< of the bad rank; the others wait for it
  FailureClass failure;
  const char* words;
};

void PrintTo(const BadRankCase& each, std::ostream* out) {
  *out << each.name << " of rank " << each.rank;
}

class BadCommandRank : public CommandRanks, public ::testing::WithParamInterface<BadRankCase> {};

TEST_P(BadCommandRank, EndsTheGangAndIsNamed) {
  start({"--grace", "0.2"});
  const std::string rank = std::to_string(GetParam().rank);
  Assign made =
      gang(3, kJoined + std::string("[ $RANK = 0 ] && ") + kOneReport + "if [ $RANK = " + rank +
                  " ]; then\n" + GetParam().script + "\nfi\nwaits\n");
  made.job.rank_timeout_ms = 500;

  const Done done = bench_.run(made);

  EXPECT_EQ(done.end, AttemptEnd::failed);
  ASSERT_TRUE(done.failure.has_value());
  EXPECT_STREQ(to_name(*done.failure), to_name(GetParam().failure)) << done.message;
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  EXPECT_TRUE(bench_.ends("sleep"));
  const Done next = bench_.run(gang(3, kOneReport, /*trial=*/1));
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
}

// What makes the others fail comes in the same moment as the bad rank's own end.
INSTANTIATE_TEST_SUITE_P(
    All, BadCommandRank,
    ::testing::Values(
        BadRankCase{"Killed", 0, "meets; kill -KILL $$", FailureClass::infra,
                    "the command was ended by SIGKILL"},
        BadRankCase{"Killed", 2, "meets; kill -KILL $$", FailureClass::infra,
                    "rank 2 of the command was ended by SIGKILL"},
        BadRankCase{"Segfault", 1, "meets; kill -SEGV $$", FailureClass::user,
                    "rank 1 of the command was ended by SIGSEGV"},
        BadRankCase{"ExitThree", 1, "echo no data here; exit 3", FailureClass::user,
                    "rank 1 of the command ended with exit status 3 before its work was done\n"
                    "its last output:\nno data here"},
        BadRankCase{"ExitThree", 0, "echo no data here; exit 3", FailureClass::user,
                    "the command ended with exit status 3 before its work was done\n"
                    "its last output:\n"},
        BadRankCase{"MemoryRanOut", 2, "echo 'CUDA out of memory' >&2; exit 1", FailureClass::oom,
                    "rank 2 of the command ended with exit status 1"},
        BadRankCase{"SaysSo", 1,
                    "echo '{\"failed\": \"oom\", \"message\": \"no room\"}'; meets; exec 3>&-; "
                    "sleep 0.1; exit 1",
                    FailureClass::oom, "rank 1: no room"},
        BadRankCase{"SaysSoInItsFile", 1,
                    "echo '{\"failed\": \"timeout\", \"message\": \"too slow\"}' >> "
                    "$BETATUNE_METRICS_FILE; exit 1",
                    FailureClass::timeout, "rank 1: too slow"},
        BadRankCase{"Stopped", 1, "kill -STOP $$", FailureClass::infra,
                    "rank 1 was stopped (SIGSTOP) and kept the others waiting"},
        BadRankCase{"Stopped", 0, "kill -STOP $$", FailureClass::infra,
                    "rank 0 was stopped (SIGSTOP) and kept the others waiting"},
        BadRankCase{
            "GoesOnAlone", 0, "exit 0", FailureClass::infra,
            "rank 1 is still running long after rank 0 has ended; if that is as it should be, "
            "raise resources.rank_timeout"}),
    [](const auto& each) {
      return std::string(each.param.name) + "_rank" + std::to_string(each.param.rank);
    });

TEST_F(CommandRanks, ThatFailAfterRankZeroHasSucceededAreNamed) {
  start();

  const Done done =
      bench_.run(gang(2, "[ $RANK = 0 ] && { " + std::string("echo '{\"loss\": 1}'; exit 0; }\n") +
                             "sleep 0.3; exit 3"));

  EXPECT_EQ(done.failure, FailureClass::user);
  EXPECT_THAT(done.message, HasSubstr("rank 1 of the command ended with exit status 3"));
}

TEST_F(CommandRanks, ThatCannotBeStartedAreOneFailure) {
  start();
  Assign made = gang(3, "");
  made.job.command = {"./no-such-program"};

  const Done done = bench_.run(made);

  EXPECT_EQ(done.failure, FailureClass::user);
  EXPECT_THAT(done.message, HasSubstr("command: cannot run `./no-such-program`"));
}

TEST_F(CommandRanks, OfACommandOfOneProcessAreRefused) {
  start();
  Assign made = gang(2, kOneReport);
  made.job.per_rank = false;

  const Done done = bench_.run(made);

  EXPECT_EQ(done.failure, FailureClass::user);
  EXPECT_THAT(done.message, HasSubstr("set `trainer.processes: per-rank`"));
}

TEST_F(CommandRanks, StopReachesEveryRank) {
  start();

  const Done done = decide(gang(3, "trap 'echo told; exit 3' TERM\n" + std::string(kMeetAll) +
                                       "[ $RANK = 0 ] && " + kOneReport + kForEver),
                           Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
  for (int rank = 0; rank < 3; ++rank) EXPECT_THAT(log(rank), HasSubstr("told\n"));
}

TEST_F(CommandRanks, StopEndsARankThatIgnoresItAfterTheGrace) {
  start({"--grace", "0.2"});

  const Done done = decide(gang(2, "[ $RANK = 1 ] && trap '' TERM\n" + std::string(kMeetAll) +
                                       "[ $RANK = 0 ] && " + kOneReport + kForEver),
                           Action::stop);

  EXPECT_EQ(done.end, AttemptEnd::stopped) << done.message;
  EXPECT_TRUE(bench_.ends("sleep"));
}

TEST_F(CommandRanks, PauseKeepsWhatEveryRankSavesAndEachGoesOnFromIt) {
  start();
  const std::string saves =
      "trap 'echo $RANK > $BETATUNE_CHECKPOINT_DIR/state-$RANK; exit 0' TERM\n";
  const Done paused = decide(
      gang(2, saves + kMeetAll + "[ $RANK = 0 ] && " + kOneReport + kForEver), Action::pause);
  EXPECT_EQ(paused.end, AttemptEnd::paused) << paused.message;
  ASSERT_TRUE(told().checkpoint().has_value());
  Assign second = gang(2,
                       "test $(cat $BETATUNE_RESUME_DIR/state-$RANK) = $RANK || exit 1\n"
                       "echo '{\"step\": 9, \"loss\": 1}'");
  second.attempt = AttemptId{2};
  second.from = 1;
  second.resume_from = told().checkpoint();

  const Done done = bench_.run(second);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

TEST_F(CommandRanks, AMetricThatIsNotFiniteEndsThemAll) {
  start();

  const Done done =
      bench_.run(gang(2, "[ $RANK = 0 ] && echo '{\"loss\": NaN}'\n" + std::string(kForEver)));

  EXPECT_EQ(done.failure, FailureClass::diverged) << done.message;
}

TEST_F(CommandRanks, LeaveNoProcessBehindWhenTheAgentIsKilled) {
  start();
  bench_.optimizer->assign(gang(4, "echo $$ > started-$RANK; setsid sleep 600 & exec sleep 600"));
  for (int rank = 0; rank < 4; ++rank) {
    ASSERT_TRUE(bench_.appears("started-" + std::to_string(rank)));
  }

  bench_.trainer->signal(SIGKILL);

  EXPECT_TRUE(bench_.all_gone());
}

/// Each costs its attempt and nothing else: no process, no file, no slot of the agent.
TEST_F(CommandRanks, ManyDeathsInARowCostAnAttemptEach) {
  start();
  const char* wanted = std::getenv("BETATUNE_DEATHS");
  const int deaths = wanted != nullptr ? std::atoi(wanted) : 50;
  for (int i = 0; i < deaths; ++i) {
    const std::string rank = std::to_string(i % 3);
    Assign made =
        gang(3, kJoined + ("[ $RANK = " + rank + " ] && { meets; kill -KILL $$; }\n") + "waits");
    made.attempt.n = static_cast<std::uint64_t>(i) + 1;
    const Done done = bench_.run(made);
    ASSERT_EQ(done.end, AttemptEnd::failed) << i;
    ASSERT_EQ(done.failure, FailureClass::infra) << i << ": " << done.message;
    EXPECT_THAT(done.message, i % 3 == 0 ? HasSubstr("the command was ended by SIGKILL")
                                         : HasSubstr("rank " + rank + " of the command was ended"));
  }
  const Done done = bench_.run(gang(3, kOneReport, 1));
  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

}  // namespace
}  // namespace betatune::test
