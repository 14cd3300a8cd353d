#include "optimizer/gp/observations.hpp"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

Configuration at(double x) {
  return {{"x", x}};
}

void report(HistoryBuilder& study, TrialId trial, Step step, double loss) {
  study.edit().trials.edit(trial).observations.push_back({step, AttemptId{1}, loss, false, 0});
}

TEST(Observations, ResultsFailuresAndPendingTrialsAreKeptApart) {
  HistoryBuilder study({real("x", 0, 1)});
  study.add_result(at(0.1), "test", 5);
  study.add_failure(at(0.2), FailureClass::oom);
  study.add_failure(at(0.3), FailureClass::infra);
  study.add_running(at(0.4));
  study.edit().queued.push_back(at(0.5));
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  ASSERT_EQ(data.size(), 2);
  EXPECT_EQ(data.finite, 1);
  EXPECT_EQ(data.losses[0], 5);
  EXPECT_TRUE(std::isnan(data.losses[1]));
  EXPECT_EQ(data.trials, (std::vector<std::size_t>{0, 1}));
  ASSERT_EQ(data.pending.rows(), 2);
  EXPECT_NEAR(data.pending(0, 0), 0.4, 1e-15);
  EXPECT_NEAR(data.pending(1, 0), 0.5, 1e-15);
}

TEST(Observations, LeaveOutTrialsThatAChangedSpaceHasNoPlaceFor) {
  HistoryBuilder study({real("x", 0, 1)});
  study.add_result(at(0.1), "test", 5);
  study.add_result(at(1.5), "test", 6);
  study.edit().queued.push_back(at(-2));
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  EXPECT_EQ(data.trials, (std::vector<std::size_t>{0}));
  EXPECT_EQ(data.pending.rows(), 0);
}

TEST(Observations, RankWhatBreaksLimitsBehindAllThatMeetsThem) {
  HistoryBuilder study({real("x", 0, 1)});
  study.limit("a");
  study.limit("b");
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::vector<double>> slacks = {
      {-1, -5}, {2, 1}, {-1, 0}, {kUnknown, -1}, {0.5, -9}};
  const std::vector<double> losses = {7, 1, 9, 0, 3};
  for (std::size_t i = 0; i < slacks.size(); ++i) {
    const TrialId id = study.add_running(at(0.1 * static_cast<double>(i)));
    study.finish_with(id, losses[i], slacks[i]);
  }
  study.add_failure(at(0.9), FailureClass::oom);
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  ASSERT_EQ(data.size(), 6);
  EXPECT_EQ(data.merits[0], 7);
  EXPECT_EQ(data.merits[2], 9);
  EXPECT_EQ(data.merits[4], 9.5) << "the worst that meets them, and what is broken";
  EXPECT_EQ(data.merits[1], 12);
  EXPECT_GT(data.merits[3], 12) << "not known is worse than all that is";
  EXPECT_TRUE(std::isnan(data.merits[5]));
  EXPECT_TRUE(data.meets_limits(0));
  EXPECT_FALSE(data.meets_limits(1));
  EXPECT_FALSE(data.meets_limits(3));
  EXPECT_FALSE(data.meets_limits(5));
  EXPECT_EQ(data.known_slacks(0).size(), 4);
  EXPECT_EQ(data.known_slacks(1).size(), 5);
}

TEST(Observations, AreTheLossesWhereThereAreNoLimits) {
  HistoryBuilder study({real("x", 0, 1)});
  study.add_result(at(0.1), "test", 5);
  study.add_result(at(0.2), "test", -3);
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  EXPECT_EQ(data.merits, data.losses);
}

TEST(Observations, TakeTheHighestStepThatEnoughTrialsReachedWhereTrainingsAreRepeated) {
  HistoryBuilder study({real("x", 0, 1)});
  study.spec().fidelity = FidelitySpec{"epoch", 1, 9, true};
  study.spec().noise.repeats = 2;
  // dims + 2 = 3 are enough: four trials reached step 1, three step 3, one step 9.
  for (int i = 0; i < 4; ++i) {
    const TrialId id = study.add(at(0.2 * i), "test", TrialState::paused).id;
    report(study, id, 1, 10 + i);
    if (i < 3) report(study, id, 3, 20 + i);
    if (i < 1) report(study, id, 9, 30 + i);
  }
  const TrialId running = study.add_running(at(0.9));
  report(study, running, 1, 7);
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  EXPECT_EQ(data.step, 3);
  EXPECT_EQ(data.losses, Eigen::Vector3d(20, 21, 22));
  EXPECT_EQ(data.pending.rows(), 1)
      << "the running one; the paused one is no result and not pending";
}

TEST(Observations, FewResultsAreTakenWhereThereAreMost) {
  HistoryBuilder study({real("x", 0, 1), real("y", 0, 1)});
  study.spec().fidelity = FidelitySpec{"epoch", 1, 9, true};
  study.spec().noise.repeats = 2;
  for (int i = 0; i < 3; ++i) {
    const TrialId id = study.add({{"x", 0.2 * i}, {"y", 0.5}}, "test", TrialState::paused).id;
    report(study, id, 1, 10 + i);
    if (i < 1) report(study, id, 3, 20 + i);
  }
  ObservationCollector collector;
  EXPECT_EQ(collector.collect(study.history()).step, 1);
}

TEST(Observations, ExpectOfEveryCurveWhereItWillEnd) {
  HistoryBuilder study({real("x", 0, 1)});
  study.spec().fidelity = FidelitySpec{"epoch", 1, 9, true};
  for (int i = 0; i < 4; ++i) {
    const TrialId id = study.add(at(0.2 * i), "test", TrialState::paused).id;
    report(study, id, 1, 20 + i);
    if (i < 2) report(study, id, 3, 15 + i);
    if (i < 1) report(study, id, 9, 10);
  }
  const TrialId running = study.add_running(at(0.9));
  report(study, running, 1, 19);
  study.add_running(at(0.95));
  study.add_failure(at(0.5), FailureClass::oom);
  study.add_failure(at(0.6), FailureClass::infra);
  ObservationCollector collector;

  const Observations data = collector.collect(study.history());

  EXPECT_TRUE(data.expected);
  EXPECT_EQ(data.step, 9);
  EXPECT_EQ(data.trials, (std::vector<std::size_t>{0, 1, 2, 3, 4, 6}));
  EXPECT_EQ(data.finite, 5);
  EXPECT_EQ(data.losses[0], 10) << "known, not expected";
  EXPECT_EQ(data.doubts[0], 0);
  EXPECT_LT(data.losses[0], data.losses[1]);
  EXPECT_LT(data.losses[1], data.losses[2]);
  EXPECT_LT(data.losses[2], data.losses[3]);
  EXPECT_LT(data.losses[4], 10) << "the running one began lower";
  EXPECT_GT(data.doubts[1], 0);
  EXPECT_GT(data.doubts[2], data.doubts[1]) << "it has further to go";
  EXPECT_TRUE(std::isnan(data.losses[5])) << "failed by itself";
  EXPECT_EQ(data.pending.rows(), 1) << "the one that has reported nothing";
}

TEST(Observations, ACollectorThatIsGivenAnotherStudyStartsAgain) {
  HistoryBuilder first({real("x", 0, 1)}), second({real("x", 0, 1)});
  first.add_result(at(0.1), "test", 1);
  second.add_result(at(0.7), "test", 1);
  ObservationCollector collector;
  collector.collect(first.history());

  EXPECT_NEAR(collector.collect(second.history()).points(0, 0), 0.7, 1e-15);
}

}  // namespace
}  // namespace betatune
