/// A trial of several ranks: they end together, whatever happens to one of them, and the one that
/// it happened to is named.

#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Assign gang(const TrainerBench& bench, int ranks, const std::string& mode, int bad_rank = 1,
            std::uint64_t trial = 0) {
  Assign made = bench.assign(trial, kPlugins + "gang.so");
  made.params = Configuration({{"mode", Value(mode)}, {"rank", Value(std::int64_t{bad_rank})}});
  made.until = 5;
  made.job.ranks = made.job.cpus = ranks;
  return made;
}

std::string log_of(const TrainerBench& bench, int rank) {
  return bench.text("trials/0/attempt-1/log" + (rank == 0 ? "" : ".rank-" + std::to_string(rank)));
}

TEST(Gang, EveryRankKnowsItsPlaceAndHasALogOfItsOwn) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = gang(bench, 3, "plain");
  made.job.cpus = 6;
  made.job.rank_timeout_ms = 4'000;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  for (int rank = 0; rank < 3; ++rank) {
    const std::string self = std::to_string(rank);
    EXPECT_THAT(log_of(bench, rank),
                HasSubstr("rank " + self + " of 3, 2 cpus, RANK=" + self + " WORLD_SIZE=3"));
    EXPECT_THAT(log_of(bench, rank), HasSubstr("timeout 4000, at file:///"));
  }
}

TEST(Gang, OnlyRankZeroReports) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(gang(bench, 4, "plain"));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  const Told& told = bench.optimizer->told(0);
  ASSERT_EQ(told.reports.size(), 6u) << "five steps and a checkpoint";
  for (const Report& report : told.reports) {
    for (const auto& [name, number] : report.metrics) EXPECT_GT(number, 0) << name;
  }
}

TEST(Gang, SharesOutTheTrialsGpus) {
  TrainerBench bench;
  ::setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b,GPU-c,GPU-d", 1);
  bench.start(kTrainer);
  ::unsetenv("CUDA_VISIBLE_DEVICES");
  Assign made = gang(bench, 2, "plain");
  made.job.gpus = 4;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_THAT(log_of(bench, 0), HasSubstr("CUDA=GPU-a,GPU-b,"));
  EXPECT_THAT(log_of(bench, 1), HasSubstr("CUDA=GPU-c,GPU-d,"));
}

TEST(Gang, AVerdictReachesEveryRankAtTheSameStep) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = gang(bench, 3, "slow");
  made.until = 100'000;
  bench.optimizer->assign(made);
  ASSERT_TRUE(
      bench.optimizer->serve_until([&] { return bench.optimizer->told(0).reports.size() > 3; }));

  bench.optimizer->decide(made.trial, made.attempt, Action::pause);

  ASSERT_TRUE(bench.optimizer->serve_all());
  const Done& done = *bench.optimizer->told(0).done;
  EXPECT_EQ(done.end, AttemptEnd::paused) << done.message;
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_THAT(log_of(bench, rank), HasSubstr("rank " + std::to_string(rank) + " ends at step " +
                                               std::to_string(done.step) + "\n"));
  }
}

TEST(Gang, EveryRankGoesOnFromTheOneCheckpoint) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = gang(bench, 3, "plain");
  made.until = 2;
  ASSERT_EQ(bench.run(made).end, AttemptEnd::reached);
  made.resume_from = bench.optimizer->told(0).checkpoint();
  ASSERT_TRUE(made.resume_from.has_value());
  made.attempt.n = 2;
  made.from = 2;
  made.until = 5;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  for (const char* log : {"log", "log.rank-1", "log.rank-2"}) {
    EXPECT_THAT(bench.text(std::string("trials/0/attempt-2/") + log),
                HasSubstr(" goes on at step 2\n"));
  }
}

struct RankCase {
  const char* mode;
  int rank;
  FailureClass failure;
  const char* words;
};

void PrintTo(const RankCase& each, std::ostream* out) {
  *out << each.mode << " of rank " << each.rank;
}

class BadRank : public ::testing::TestWithParam<RankCase> {};

TEST_P(BadRank, EndsTheGangAndIsNamed) {
  TrainerBench bench;
  bench.start(kTrainer, {"--grace", "0.2"});
  Assign made = gang(bench, 3, GetParam().mode, GetParam().rank);
  made.job.rank_timeout_ms = 500;

  const Done done = bench.run(made);

  EXPECT_EQ(done.end, AttemptEnd::failed);
  ASSERT_TRUE(done.failure.has_value());
  EXPECT_STREQ(to_name(*done.failure), to_name(GetParam().failure)) << done.message;
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  const Done next = bench.run(gang(bench, 3, "plain", 1, /*trial=*/1));
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
}

INSTANTIATE_TEST_SUITE_P(
    All, BadRank,
    ::testing::Values(
        RankCase{"killed", 0, FailureClass::infra, "the trainer was ended by SIGKILL"},
        RankCase{"killed", 1, FailureClass::infra, "rank 1 of the trainer was ended by SIGKILL"},
        RankCase{"killed", 2, FailureClass::infra, "rank 2 of the trainer was ended by SIGKILL"},
        RankCase{"segfault", 2, FailureClass::user, "rank 2 of the trainer was ended by SIGSEGV"},
        RankCase{"exit0", 1, FailureClass::user, "rank 1 of the trainer ended with exit status 0"},
        RankCase{"stopped", 1, FailureClass::infra, "rank 1 was stopped (SIGSTOP)"},
        RankCase{"stopped", 0, FailureClass::infra, "rank 0 was stopped (SIGSTOP)"},
        RankCase{"fail", 2, FailureClass::oom,
                 "rank 2: gang: train failed: no memory for this layer"},
        RankCase{"fail", 0, FailureClass::oom, "gang: train failed: no memory for this layer"},
        RankCase{"setup", 1, FailureClass::user, "rank 1: gang: setup failed: no data here"},
        RankCase{"late", 2, FailureClass::infra, "rank 2 is still busy with train"},
        RankCase{"skew", 1, FailureClass::user, "this rank reported step 4, rank 0 step 3"},
        RankCase{"early", 1, FailureClass::user, "rank 0 reported step 3, and this rank returned"},
        RankCase{"early", 0, FailureClass::user,
                 "this rank reported step 3, and rank 0 returned without"}),
    [](const auto& each) {
      return std::string(each.param.mode) + "_rank" + std::to_string(each.param.rank);
    });

TEST(Gang, LeavesNoProcessBehindWhenTheAgentIsKilled) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = gang(bench, 4, "slow");
  made.until = 100'000;
  bench.optimizer->assign(made);
  ASSERT_TRUE(
      bench.optimizer->serve_until([&] { return !bench.optimizer->told(0).reports.empty(); }));

  bench.trainer->signal(SIGKILL);

  EXPECT_TRUE(bench.all_gone());
}

/// Each costs its attempt and nothing else: no process, no file, no slot of the agent.
TEST(Gang, ManyDeathsInARowCostAnAttemptEach) {
  TrainerBench bench;
  bench.start(kTrainer);
  const char* wanted = std::getenv("BETATUNE_DEATHS");
  const int deaths = wanted != nullptr ? std::atoi(wanted) : 200;
  for (int i = 0; i < deaths; ++i) {
    Assign made = gang(bench, 3, "killed", i % 3);
    made.attempt.n = static_cast<std::uint64_t>(i) + 1;
    const Done done = bench.run(made);
    ASSERT_EQ(done.end, AttemptEnd::failed) << i;
    ASSERT_EQ(done.failure, FailureClass::infra) << i << ": " << done.message;
  }
  const Done done = bench.run(gang(bench, 3, "plain", 1, 1));
  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
}

}  // namespace
}  // namespace betatune::test
