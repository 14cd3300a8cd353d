#include "optimizer/schedulers/rungs.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

#include "searchspaces/random.hpp"

namespace betatune {
namespace {

using testing::ElementsAre;

TEST(Rungs, GoFromTheFirstStepToTheLast) {
  EXPECT_THAT(rung_levels(1, 81, 3), ElementsAre(1, 3, 9, 27, 81));
  EXPECT_THAT(rung_levels(2, 16, 2), ElementsAre(2, 4, 8, 16));
  EXPECT_THAT(rung_levels(1, 1, 3), ElementsAre(1));
  EXPECT_THAT(rung_levels(5, 6, 3), ElementsAre(5, 6));
}

TEST(Rungs, LeaveOutARungTooNearToTheLast) {
  EXPECT_THAT(rung_levels(1, 100, 3), ElementsAre(1, 3, 9, 27, 100));
  EXPECT_THAT(rung_levels(1, 200, 3), ElementsAre(1, 3, 9, 27, 81, 200));
}

TEST(Rungs, RoundFractionsAndNeverRepeat) {
  EXPECT_THAT(rung_levels(1, 4, 1.2), ElementsAre(1, 2, 3, 4));
}

TEST(Rungs, FindTheHighestAtAStep) {
  const std::vector<Step> levels = rung_levels(2, 18, 3);

  EXPECT_EQ(rung_at(levels, 1), -1);
  EXPECT_EQ(rung_at(levels, 2), 0);
  EXPECT_EQ(rung_at(levels, 5), 0);
  EXPECT_EQ(rung_at(levels, 6), 1);
  EXPECT_EQ(rung_at(levels, 1000), 2);
}

TEST(Rung, PromotesTheTopThirdOnceItHasThreeResults) {
  Rung rung(3);
  rung.add(TrialId{0}, 0.3);
  rung.add(TrialId{1}, 0.1);
  EXPECT_EQ(rung.promotable(), std::nullopt);

  rung.add(TrialId{2}, 0.2);

  EXPECT_EQ(rung.promotable(), TrialId{1});
  rung.take(TrialId{1});
  EXPECT_EQ(rung.promotable(), std::nullopt);
}

TEST(Rung, BreaksTiesByTrial) {
  Rung rung(2);
  for (const std::uint64_t n : {3u, 1u, 2u, 0u}) rung.add(TrialId{n}, 0.5);

  EXPECT_EQ(rung.promotable(), TrialId{0});
  rung.take(TrialId{0});
  EXPECT_EQ(rung.promotable(), TrialId{1});
  rung.take(TrialId{1});
  EXPECT_EQ(rung.promotable(), std::nullopt);
}

TEST(Rung, GivesThePlaceOfAFailedTrialToTheNext) {
  Rung rung(2);
  for (std::uint64_t n = 0; n < 5; ++n) rung.add(TrialId{n}, static_cast<double>(n));
  rung.take(TrialId{0});
  rung.take(TrialId{1});
  ASSERT_EQ(rung.promotable(), std::nullopt);

  rung.remove(TrialId{0});

  EXPECT_EQ(rung.size(), 4u);
  EXPECT_EQ(rung.promotable(), TrialId{2});
}

TEST(Rung, AgreesWithSortingOverAnyOrderOfChanges) {
  Stream draws(root_key(5));
  for (int round = 0; round < 200; ++round) {
    const double eta = 1.5 + 3 * draws.uniform();
    Rung rung(eta);
    std::map<std::uint64_t, double> left;
    std::set<std::uint64_t> taken;
    for (std::uint64_t n = 0; n < 40; ++n) {
      const double loss = static_cast<double>(draws.below(10));
      rung.add(TrialId{n}, loss);
      left[n] = loss;
      const std::uint64_t other = draws.below(n + 1);
      if (draws.uniform() < 0.2) rung.take(TrialId{other}), taken.insert(other);
      if (draws.uniform() < 0.2) rung.remove(TrialId{other}), left.erase(other);

      std::vector<std::pair<double, std::uint64_t>> sorted;
      for (const auto& [trial, value] : left) sorted.emplace_back(value, trial);
      std::sort(sorted.begin(), sorted.end());
      sorted.resize(rung_quota(sorted.size(), eta));
      std::optional<TrialId> expected;
      for (const auto& [value, trial] : sorted) {
        if (!expected && !taken.contains(trial)) expected = TrialId{trial};
      }
      ASSERT_EQ(rung.promotable(), expected) << "round " << round << ", trial " << n;
    }
  }
}

}  // namespace
}  // namespace betatune
