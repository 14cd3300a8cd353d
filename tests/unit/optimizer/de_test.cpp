#include <gtest/gtest.h>

#include "optimizer/de/child.hpp"
#include "optimizer/de/population.hpp"
#include "tests/support/history_builder.hpp"

namespace betatune {
namespace {

using namespace betatune::test;

Configuration place(double x) {
  return {{"x", x}};
}
Suggestion child_of(std::size_t slot, std::size_t parent, double x, double f, double cr) {
  return {place(x), kDeOrigin, Json{{"slot", slot}, {"parent", parent}, {"f", f}, {"cr", cr}}};
}

/// Four results that fill the slots 0 to 3 with the losses 10, 11, 12, 13.
HistoryBuilder four_slots() {
  HistoryBuilder study({real("x", 0, 1)});
  for (int i = 0; i < 4; ++i) study.add_result(place(0.1 * i), "sobol", 10 + i);
  return study;
}

DePopulation population_of(const HistoryBuilder& study) {
  ObservationCollector collector;
  return de_population(study.history(), collector.collect(study.history()), 4);
}

TEST(DePopulation, TrialsWithoutANoteFillTheSlotsInTurn) {
  HistoryBuilder study = four_slots();
  study.add_result(place(0.9), "enqueued", 3);

  const DePopulation population = population_of(study);

  EXPECT_EQ(population.slots[0].best, 4);
  EXPECT_EQ(population.slots[1].best, 1);
  EXPECT_EQ(population.next(), 1u);
}

TEST(DePopulation, AChildReplacesItsSlotOnlyIfItIsBetter) {
  HistoryBuilder study = four_slots();
  study.add_result(child_of(2, 2, 0.5, 0.9, 0.8), 5);
  study.add_result(child_of(3, 3, 0.6, 0.1, 0.1), 50);

  const DePopulation population = population_of(study);

  EXPECT_EQ(population.slots[2].best, 4);
  EXPECT_EQ(population.slots[3].best, 3);
  EXPECT_GT(population.f, 0.5);  // 0.9 has proved itself, 0.1 has not
  EXPECT_GT(population.cr, 0.5);
}

TEST(DePopulation, RunningTrialsTakeTheirTurnAndFailuresNeverStay) {
  HistoryBuilder study = four_slots();
  study.add(child_of(0, 0, 0.5, 0.5, 0.5), TrialState::running);
  study.fail(study.add(child_of(1, 1, 0.6, 0.5, 0.5), TrialState::running).id, FailureClass::oom);

  const DePopulation population = population_of(study);

  EXPECT_EQ(population.next(), 2u);
  EXPECT_EQ(population.slots[1].best, 1);
}

TEST(DePopulation, DoesNotDependOnTheOrderInWhichTrialsEnd) {
  HistoryBuilder early = four_slots(), late = four_slots();
  for (HistoryBuilder* study : {&early, &late}) {
    study->add(child_of(0, 0, 0.5, 0.7, 0.5), TrialState::running);
    study->add(child_of(0, 0, 0.6, 0.3, 0.5), TrialState::running);
  }
  early.finish(TrialId{4}, 2);
  early.finish(TrialId{5}, 1);
  late.finish(TrialId{5}, 1);
  late.finish(TrialId{4}, 2);

  EXPECT_EQ(population_of(early).slots[0].best, population_of(late).slots[0].best);
  EXPECT_EQ(population_of(early).f, population_of(late).f);
}

TEST(DeChild, StaysInTheCubeAndTakesChoicesFromItsParents) {
  const std::vector<Value> words{Value{"a"}, Value{"b"}, Value{"c"}, Value{"d"}};
  const SearchSpace space = HistoryBuilder({real("x", 0, 1), choice("kind", words)}).space();
  const auto point = [&](double x, std::uint64_t k) {
    return Eigen::VectorXd{{x, space.level(1, k)}};
  };
  Stream stream(root_key(1));
  for (int i = 0; i < 200; ++i) {
    const Eigen::VectorXd child = de_child(
        space, {point(0.1, 0), point(0.95, 1), point(1, 2), point(0, 0)}, 0.9, 0.9, stream);
    ASSERT_GE(child[0], 0);
    ASSERT_LE(child[0], 1);
    ASSERT_NE(child[1], space.level(1, 3));
  }
}

}  // namespace
}  // namespace betatune
