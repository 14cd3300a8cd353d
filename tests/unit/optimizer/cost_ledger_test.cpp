#include "optimizer/cost_ledger.hpp"

#include <gtest/gtest.h>

#include "optimizer/requesters.hpp"

namespace betatune {
namespace {

// Full budget 9. Trial 0: to 1, to 3 (lost at 2, then again from 1), to 9. Trial 1: to 1 only.
CostLedger ledger(CostBy by) {
  CostLedger made(by, 9);
  made.add({0, "a", "sobol", 0, 1, 1, 10, true});
  made.add({0, "b", "sobol", 1, 3, 2, 12, false});
  made.add({0, "a", "sobol", 1, 3, 3, 20, true});
  made.add({0, "a", "sobol", 3, 9, 9, 60, true});
  made.add({1, "b", "gp", 0, 1, 1, 5, true});
  return made;
}

std::vector<std::string> lines(const CostLedger& made) {
  std::vector<std::string> out;
  for (const auto& [key, cost] : made.groups()) {
    out.push_back(key.second + ": " + std::to_string(cost.attempts) + " attempts, " +
                  std::to_string(cost.steps) + " steps, " +
                  std::to_string(static_cast<int>(cost.seconds)) + " s");
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(CostLedger, AddsUpByWhatIsAskedFor) {
  EXPECT_EQ(lines(ledger(CostBy::rung)),
            (Lines{"1: 2 attempts, 2 steps, 15 s", "3: 2 attempts, 3 steps, 32 s",
                   "9: 1 attempts, 6 steps, 60 s"}));
  EXPECT_EQ(lines(ledger(CostBy::trial)),
            (Lines{"0: 4 attempts, 10 steps, 102 s", "1: 1 attempts, 1 steps, 5 s"}));
  EXPECT_EQ(lines(ledger(CostBy::trainer)),
            (Lines{"a: 3 attempts, 9 steps, 90 s", "b: 2 attempts, 2 steps, 17 s"}));
  EXPECT_EQ(lines(ledger(CostBy::origin)),
            (Lines{"gp: 1 attempts, 1 steps, 5 s", "sobol: 4 attempts, 10 steps, 102 s"}));
}

TEST(CostLedger, KnowsTheTotalAndWhatWasTrainedInVain) {
  const CostLedger made = ledger(CostBy::rung);

  EXPECT_EQ(made.total().attempts, 5);
  EXPECT_EQ(made.total().steps, 11);
  EXPECT_EQ(made.total().seconds, 107);
  EXPECT_EQ(made.failed().attempts, 1);
  EXPECT_EQ(made.failed().steps, 1);
  EXPECT_EQ(made.failed().seconds, 12);
}

TEST(CostLedger, SavesWhatWasNotTrainedAtTheTrialsOwnPace) {
  CostLedger made = ledger(CostBy::rung);

  EXPECT_EQ(made.saved().attempts, 1);
  EXPECT_EQ(made.saved().steps, 8);
  EXPECT_EQ(made.saved().seconds, 40) << "5 s a step";

  made.add({2, "a", "gp", 0, 1, 0, 1, false});
  EXPECT_EQ(made.saved().attempts, 2);
  EXPECT_DOUBLE_EQ(made.saved().seconds, 40 + 9 * 108.0 / 11) << "at the mean of the others";
}

// Of a trainer that cannot resume: trial 0 to 1, 3 and 9, each time from the beginning; 1 to 1
// only.
TEST(CostLedger, TakesWhatWasTrainedAgainOffWhatWasSaved) {
  CostLedger made(CostBy::rung, 9);
  made.add({0, "a", "sobol", 0, 1, 1, 2, true});
  made.add({0, "a", "sobol", 0, 3, 2, 4, false});  // lost: that was in vain, and is told apart
  made.add({0, "a", "sobol", 0, 3, 3, 6, true});
  made.add({0, "a", "sobol", 0, 9, 9, 18, true});
  made.add({1, "a", "sobol", 0, 1, 1, 2, true});

  EXPECT_EQ(made.total().steps, 1 + 2 + 3 + 9 + 1);
  EXPECT_EQ(made.again().attempts, 2);
  EXPECT_EQ(made.again().steps, 1 + 3);
  EXPECT_DOUBLE_EQ(made.again().seconds, 8);
  EXPECT_EQ(made.saved().attempts, 1);
  EXPECT_EQ(made.saved().steps, 8 - 4);
  EXPECT_DOUBLE_EQ(made.saved().seconds, 8);
}

// Trial 1 is a copy of 0 from step 3 on, in place of 2.
TEST(CostLedger, SavesNothingWhereACopyTrainsOn) {
  CostLedger made(CostBy::rung, 9);
  made.add({0, "a", "sobol", 0, 9, 9, 9, true});
  made.add({1, "a", "exploit", 3, 6, 6, 3, true});
  made.add({2, "a", "sobol", 0, 3, 3, 3, true});
  made.replaced(2);

  EXPECT_EQ(made.saved().attempts, 1);
  EXPECT_EQ(made.saved().steps, 3) << "the copy has three steps left";
  EXPECT_EQ(made.again().steps, 0);
}

TEST(CostLedger, SavesLessThanNothingWhereTooMuchIsTrainedAgain) {
  CostLedger made(CostBy::rung, 9);
  made.add({0, "a", "sobol", 0, 8, 8, 8, true});
  made.add({0, "a", "sobol", 0, 9, 9, 9, true});
  made.add({1, "a", "sobol", 0, 8, 8, 8, true});

  EXPECT_EQ(made.saved().steps, 1 - 8);
}

TEST(CostLedger, CountsTheGpusAndSlotsOfEachAttempt) {
  CostLedger made(CostBy::rung, 9);
  made.add({0, "a", "sobol", 0, 1, 1, 10, true, 1, 1});
  made.add({0, "a", "sobol", 1, 3, 3, 20, true, 4, 4});

  EXPECT_EQ(made.total().seconds, 30);
  EXPECT_EQ(made.total().gpu_seconds, 90);
  EXPECT_EQ(made.total().slot_seconds, 90);
  EXPECT_EQ(made.groups().at({1, "1"}).slot_seconds, 10);
  EXPECT_EQ(made.saved().seconds, 60) << "6 steps";
  EXPECT_EQ(made.saved().gpu_seconds, 180);
}

TEST(CostLedger, OrdersNumbersAsNumbers) {
  CostLedger made(CostBy::trial, 1);
  for (const std::uint64_t trial : {10u, 9u, 100u}) made.add({trial, "", "", 0, 1, 1, 1, true});

  Lines keys;
  for (const auto& [key, cost] : made.groups()) keys.push_back(key.second);
  EXPECT_EQ(keys, (Lines{"9", "10", "100"}));
}

std::vector<std::string> asked_for_by(const std::vector<Fact>& facts) {
  Requesters requesters;
  for (const Fact& fact : facts) requesters.take(Event{1, 0, fact});
  std::vector<std::string> names;
  for (std::uint64_t n = 0; n < requesters.trials(); ++n) {
    names.push_back(requesters.of(TrialId{n}).value_or("?"));
  }
  return names;
}

TrialCreated created(std::uint64_t n, const char* origin, std::optional<TrialId> repeats = {}) {
  return TrialCreated{TrialId{n}, {}, origin, {}, {}, {}, repeats};
}

TEST(Requesters, AreWhoEnqueuedATrialElseWhoRanTheOptimizer) {
  EXPECT_EQ(
      asked_for_by({OptimizerStarted{1, "", "ada"}, created(0, "sobol"),
                    ConfigurationEnqueued{{}, "bob"}, ConfigurationEnqueued{{}, "eve"},
                    created(1, "enqueued"), created(2, "sobol"), created(3, "repeat", TrialId{1}),
                    OptimizerStarted{2, "", "cyd"}, created(4, "enqueued"), created(5, "exploit")}),
      (Lines{"ada", "bob", "ada", "bob", "eve", "cyd"}));
}

TEST(Requesters, AreNotMadeUpForLogsThatDoNotNameThem) {
  EXPECT_EQ(
      asked_for_by({OptimizerStarted{1, ""}, created(0, "sobol"), ConfigurationEnqueued{{}},
                    OptimizerStarted{2, "", "ada"}, created(1, "enqueued"), created(2, "sobol")}),
      (Lines{"?", "?", "ada"}));
}

}  // namespace
}  // namespace betatune
