// A rung with several objectives, worked out by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>

#include "optimizer/schedulers/rungs.hpp"
#include "searchspaces/random.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;

/// The trials in the order in which they would go on, if that many could.
std::vector<std::uint64_t> order_of(Rung rung) {
  std::vector<std::uint64_t> order;
  while (const auto best = rung.best_open()) {
    order.push_back(best->n);
    rung.take(*best);
  }
  return order;
}

std::vector<std::uint64_t> top_of(const Rung& rung, std::uint64_t trials) {
  std::vector<std::uint64_t> top;
  for (std::uint64_t n = 0; n < trials; ++n) {
    if (rung.in_top(TrialId{n})) top.push_back(n);
  }
  return top;
}

/// The first front is 0 to 4; 5 and 6 are the second; then 7, then 8. In the first one, 0 and 4 are
/// the ends, and the distances between the neighbours of the others are, in eighths of the ranges,
/// 2 + 4 for 1, 4 + 4 for 2, and 6 + 4 for 3.
Rung nine_results() {
  Rung rung(3, 2);
  const std::vector<std::vector<double>> losses = {{1, 9}, {2, 6}, {3, 5}, {6, 2},  {9, 1},
                                                   {3, 7}, {7, 3}, {8, 8}, {10, 10}};
  for (std::uint64_t n = 0; n < losses.size(); ++n) rung.add({TrialId{n}, 0, losses[n]});
  return rung;
}

TEST(RungFronts, PutTheLoneliestOfTheFirstFrontFirst) {
  const Rung rung = nine_results();

  EXPECT_EQ(rung.top_size(), 3u);
  EXPECT_THAT(top_of(rung, 9), ElementsAre(0, 3, 4));
  EXPECT_THAT(order_of(rung), ElementsAre(0, 4, 3, 2, 1, 5, 6, 7, 8));
}

TEST(RungFronts, LetGoOnWhoIsInTheTopAndHasNotYet) {
  Rung rung = nine_results();

  for (const std::uint64_t n : {0u, 4u, 3u}) {
    EXPECT_EQ(rung.promotable(), TrialId{n});
    rung.take(TrialId{n});
  }

  EXPECT_EQ(rung.promotable(), std::nullopt);
  EXPECT_EQ(rung.best_open(), TrialId{2});
}

TEST(RungFronts, ADominatedNewcomerChangesNothing) {
  Rung rung = nine_results();
  rung.take(*rung.promotable());

  rung.add({TrialId{9}, 0, {9, 9}});

  EXPECT_THAT(top_of(rung, 10), ElementsAre(0, 3, 4));
  EXPECT_EQ(rung.promotable(), TrialId{4});
}

TEST(RungFronts, ANewcomerThatBeatsTheFrontGoesBeforeIt) {
  Rung rung = nine_results();
  rung.take(*rung.promotable());

  rung.add({TrialId{9}, 0, {0.5, 0.5}});

  EXPECT_THAT(top_of(rung, 10), ElementsAre(0, 4, 9));
  EXPECT_EQ(rung.promotable(), TrialId{9});
  rung.take(TrialId{9});
  EXPECT_EQ(rung.promotable(), TrialId{4}) << "trial 0 has gone on before";
}

TEST(RungFronts, ANewNeighbourTakesThePlaceOfWhoIsNoLongerLonely) {
  Rung rung = nine_results();

  // Between 3 and 4: the distances are 4 + 3.5 for 3 now, 3 + 1 for the new one.
  rung.add({TrialId{9}, 0, {7, 1.5}});

  EXPECT_THAT(order_of(rung), ElementsAre(0, 4, 2, 3, 1, 9, 5, 6, 7, 8));
}

TEST(RungFronts, WhoFailsLeavesItsPlaceToTheNextFront) {
  Rung rung = nine_results();

  for (const std::uint64_t n : {0u, 1u, 2u, 3u, 4u, 8u}) rung.remove(TrialId{n});

  EXPECT_EQ(rung.size(), 3u);
  EXPECT_FALSE(rung.has(TrialId{0}));
  EXPECT_THAT(order_of(rung), ElementsAre(5, 6, 7));
  EXPECT_THAT(top_of(rung, 9), ElementsAre(5));
}

TEST(RungFronts, PutWhatBreaksLimitsBehindAllThatDoesNot) {
  Rung rung(2, 2);
  rung.add({TrialId{0}, 3, {0, 0}});
  rung.add({TrialId{1}, 0, {9, 9}});
  rung.add({TrialId{2}, 1, {5, 5}});
  rung.add({TrialId{3}, 1, {4, 4}});
  rung.add({TrialId{4}, 0, {}});
  rung.add({TrialId{5}, std::numeric_limits<double>::infinity(), {0, 0}});

  EXPECT_THAT(order_of(rung), ElementsAre(1, 3, 2, 0, 5)) << "4 has no result: it is never offered";
  EXPECT_THAT(top_of(rung, 6), ElementsAre(1, 2, 3));
}

TEST(RungFronts, LeaveEqualsInTheOrderOfTheTrials) {
  Rung rung(2, 2);
  for (const std::uint64_t n : {3u, 1u, 2u, 0u}) rung.add({TrialId{n}, 0, {0.5, 0.5}});

  EXPECT_THAT(order_of(rung), ElementsAre(0, 1, 2, 3));
}

TEST(RungFronts, TheFirstResultOfATrialCounts) {
  Rung rung = nine_results();

  rung.add({TrialId{8}, 0, {0, 0}});

  EXPECT_EQ(rung.size(), 9u);
  EXPECT_EQ(rung.promotable(), TrialId{0});
}

/// Whether somebody asks for the order meanwhile must not matter: a replay asks less often.
TEST(RungFronts, AreTheSameHoweverOftenTheyAreAskedFor) {
  Stream draws(root_key(8));
  for (int round = 0; round < 50; ++round) {
    const std::size_t objectives = 2 + draws.below(3);
    Rung asked(3, objectives), silent(3, objectives);
    for (std::uint64_t n = 0; n < 40; ++n) {
      RungLosses result{TrialId{n}, static_cast<double>(draws.below(2)), {}};
      while (result.losses.size() < objectives) {
        result.losses.push_back(static_cast<double>(draws.below(8)));
      }
      asked.add(result);
      silent.add(result);
      const TrialId other{draws.below(n + 1)};
      if (draws.uniform() < 0.1) asked.remove(other), silent.remove(other);
      const auto promoted = asked.promotable();
      if (promoted) asked.take(*promoted), silent.take(*promoted);
    }

    EXPECT_EQ(order_of(silent), order_of(asked)) << "round " << round;
    EXPECT_EQ(top_of(silent, 40), top_of(asked, 40));
  }
}

/// Where the other objective says nothing, fronts are the order of losses.
TEST(RungFronts, OfOneObjectiveThatVariesAreItsOrder) {
  Stream draws(root_key(9));
  Rung loss(3), first(3, 2), second(3, 2);
  for (std::uint64_t n = 0; n < 100; ++n) {
    const TrialId trial{n};
    const double value = static_cast<double>(draws.below(20));
    loss.add(trial, value);
    first.add({trial, 0, {value, 1}});
    second.add({trial, 0, {1, value}});
    const auto promoted = loss.promotable();
    ASSERT_EQ(first.promotable(), promoted);
    ASSERT_EQ(second.promotable(), promoted);
    if (!promoted) continue;
    for (Rung* each : {&loss, &first, &second}) each->take(*promoted);
  }
}

}  // namespace
}  // namespace betatune
