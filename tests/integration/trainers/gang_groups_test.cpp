/// A trial whose ranks form groups: one that dies or hangs ends its group and not the trial, unless
/// it is the group of rank 0.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trainer_bench.hpp"

namespace betatune::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Ranks 0 and 1, 2 and 3, 4 and 5.
Assign groups(const TrainerBench& bench, const std::string& mode, int bad_rank,
              std::uint64_t trial = 0) {
  Assign made = bench.assign(trial, kPlugins + "gang.so");
  made.params = Configuration({{"mode", Value(mode)},
                               {"rank", Value(std::int64_t{bad_rank})},
                               {"group_size", Value(std::int64_t{2})}});
  made.until = 5;
  made.job.ranks = made.job.cpus = 6;
  made.job.rank_timeout_ms = mode == "late" ? 500 : 60'000;
  return made;
}

struct Case {
  const char* mode;
  int rank;
  const char* words;
};

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  return std::string(info.param.mode) + "_rank" + std::to_string(info.param.rank);
}

class EndOfAGroup : public ::testing::TestWithParam<Case> {};

TEST_P(EndOfAGroup, IsNotTheTrials) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(groups(bench, GetParam().mode, GetParam().rank));

  EXPECT_EQ(done.end, AttemptEnd::reached) << done.message;
  EXPECT_EQ(done.step, 5);
  const Told& told = bench.optimizer->told(0);
  EXPECT_EQ(told.reports.size(), 6u) << "five steps and a checkpoint";
  EXPECT_TRUE(told.checkpoint().has_value());
  const std::string log = bench.text("trials/0/attempt-1/log");
  const bool second = GetParam().rank < 4;
  EXPECT_THAT(log, HasSubstr(second ? "group 1 (ranks 2, 3) has ended, the others go on: "
                                    : "group 2 (ranks 4, 5) has ended, the others go on: "));
  EXPECT_THAT(log, HasSubstr(GetParam().words));
  EXPECT_THAT(log, Not(HasSubstr(second ? "group 2" : "group 1")));
}

INSTANTIATE_TEST_SUITE_P(
    All, EndOfAGroup,
    ::testing::Values(Case{"killed", 2, "rank 2 of the trainer was ended by SIGKILL"},
                      Case{"killed", 5, "rank 5 of the trainer was ended by SIGKILL"},
                      Case{"segfault", 3, "rank 3 of the trainer was ended by SIGSEGV"},
                      Case{"exit0", 4, "rank 4 of the trainer ended with exit status 0"},
                      Case{"lost", 2, "rank 2 of the trainer ended with exit status 74"},
                      Case{"late", 3, "rank 3 is still busy with train"}),
    name_of);

class EndOfTheTrial : public ::testing::TestWithParam<Case> {};

TEST_P(EndOfTheTrial, IsWhatTheFirstGroupAndFailuresInWordsAre) {
  TrainerBench bench;
  bench.start(kTrainer);

  const Done done = bench.run(groups(bench, GetParam().mode, GetParam().rank));

  EXPECT_EQ(done.end, AttemptEnd::failed);
  EXPECT_THAT(done.message, HasSubstr(GetParam().words));
  const Done next = bench.run(groups(bench, "plain", 1, /*trial=*/1));
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
}

INSTANTIATE_TEST_SUITE_P(
    All, EndOfTheTrial,
    ::testing::Values(Case{"killed", 0, "the trainer was ended by SIGKILL"},
                      Case{"killed", 1, "rank 1 of the trainer was ended by SIGKILL"},
                      Case{"lost", 1, "rank 1: gang: train failed: no answer from the next rank"},
                      Case{"late", 1, "rank 1 is still busy with train"},
                      Case{"fail", 2, "rank 2: gang: train failed: no memory for this layer"}),
    name_of);

TEST(Groups, AVerdictReachesThoseThatAreLeftAndTheNextAttemptHasAllAgain) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = groups(bench, "slow-stopped", 3);
  made.until = 100'000;
  bench.optimizer->assign(made);
  const auto log = [&](int rank, int attempt) {
    return bench.text("trials/0/attempt-" + std::to_string(attempt) + "/log" +
                      (rank == 0 ? "" : ".rank-" + std::to_string(rank)));
  };
  ASSERT_TRUE(bench.optimizer->serve_until([&] {
    return log(0, 1).find(
               "group 1 (ranks 2, 3) has ended, the others go on: rank 3 was stopped "
               "(SIGSTOP)") != std::string::npos;
  })) << log(0, 1);

  bench.optimizer->decide(made.trial, made.attempt, Action::pause);

  ASSERT_TRUE(bench.optimizer->serve_all());
  const Done done = *bench.optimizer->told(0).done;
  EXPECT_EQ(done.end, AttemptEnd::paused) << done.message;
  for (const int rank : {0, 1, 4, 5}) {
    EXPECT_THAT(log(rank, 1), HasSubstr("rank " + std::to_string(rank) + " ends at step " +
                                        std::to_string(done.step) + "\n"));
  }
  made.resume_from = bench.optimizer->told(0).checkpoint();
  ASSERT_TRUE(made.resume_from.has_value());
  made.attempt.n = 2;
  made.from = done.step;
  made.until = done.step + 1;
  const Done next = bench.run(made);
  EXPECT_EQ(next.end, AttemptEnd::reached) << next.message;
  for (int rank = 0; rank < 6; ++rank) {
    EXPECT_THAT(log(rank, 2), HasSubstr(" goes on at step " + std::to_string(done.step) + "\n"));
  }
}

TEST(Groups, LeaveNoProcessOfTheEndedGroupBehind) {
  TrainerBench bench;
  bench.start(kTrainer);
  Assign made = groups(bench, "slow-killed", 2);
  made.until = 100'000;
  bench.optimizer->assign(made);
  const auto ranks = [&] { return processes_with(bench.mark()).size(); };
  ASSERT_TRUE(bench.optimizer->serve_until(
      [&] { return bench.text("trials/0/attempt-1/log").find("group 1") != std::string::npos; }));

  EXPECT_TRUE(bench.optimizer->serve_until([&] { return ranks() == 2 + 4; }))
      << "the trainer, the fork server and the ranks of two groups";
  EXPECT_EQ(ranks(), 6u);
  bench.optimizer->decide(made.trial, made.attempt, Action::stop);
  ASSERT_TRUE(bench.optimizer->serve_all());
  EXPECT_EQ(bench.optimizer->told(0).done->end, AttemptEnd::stopped);
}

}  // namespace
}  // namespace betatune::test
