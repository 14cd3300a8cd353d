/// Buckets, shards, learning rates, timelines: pure functions.

#include <algorithm>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "tests/support/file_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/buckets.hpp"
#include "trainers/torch/distributed/learning_rate.hpp"
#include "trainers/torch/distributed/shards.hpp"
#include "trainers/torch/distributed/timeline.hpp"
#include "trainers/trainer.hpp"

namespace betatune::distributed {
namespace {

using Buckets = std::vector<std::vector<std::size_t>>;

TEST(Buckets, CloseAtTheirLimitsAndKeepTheOrder) {
  const std::vector<GradientSize> sizes{{10, 0}, {10, 0}, {10, 0}, {10, 0}, {10, 0}};
  EXPECT_EQ(assign_buckets(sizes, reverse_order(5), {10, 20}), (Buckets{{4}, {3, 2}, {1, 0}}));
  EXPECT_EQ(assign_buckets(sizes, {0, 1, 2, 3, 4}, {15, 25}), (Buckets{{0, 1}, {2, 3, 4}}));
}

TEST(Buckets, HoldOneKindEach) {
  const std::vector<GradientSize> sizes{{10, 0}, {10, 1}, {10, 0}, {10, 1}};
  EXPECT_EQ(assign_buckets(sizes, {0, 1, 2, 3}, {100, 100}), (Buckets{{0, 2}, {1, 3}}));
}

TEST(Buckets, HaveEveryGradientOnceForRandomSizes) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<GradientSize> sizes(random() % 30);
    for (auto& size : sizes) size = {1 + random() % 100, static_cast<int>(random() % 3)};
    const BucketLimits limits{1 + random() % 150, 1 + random() % 150};
    std::multiset<std::size_t> seen;
    const auto buckets = assign_buckets(sizes, reverse_order(sizes.size()), limits);
    for (const auto& bucket : buckets) {
      ASSERT_FALSE(bucket.empty());
      for (const auto i : bucket) {
        EXPECT_EQ(sizes[i].kind, sizes[bucket[0]].kind);
        seen.insert(i);
      }
    }
    std::multiset<std::size_t> all;
    for (std::size_t i = 0; i < sizes.size(); ++i) all.insert(i);
    EXPECT_EQ(seen, all);
  }
}

TEST(Owners, GetTheLargestPartsFirstAndTheRestWhereLeastIs) {
  EXPECT_EQ(assign_owners({1, 9, 4, 5, 1}, 2), (std::vector<std::size_t>{0, 0, 1, 1, 1}));
  EXPECT_EQ(assign_owners({3, 3, 3, 3}, 3), (std::vector<std::size_t>{0, 1, 2, 0}));
  EXPECT_EQ(assign_owners({7, 8}, 4), (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(assign_owners({}, 2), std::vector<std::size_t>{});
}

TEST(Owners, HaveNoMoreThanTheirPartAndOneLargestForRandomSizes) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::size_t> sizes(random() % 40), load(1 + random() % 6, 0);
    std::size_t sum = 0, largest = 0;
    for (auto& size : sizes) {
      size = random() % 1000;
      sum += size;
      largest = std::max(largest, size);
    }
    const auto owner = assign_owners(sizes, load.size());
    ASSERT_EQ(owner.size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) load.at(owner[i]) += sizes[i];
    // The last part that the fullest got went where no more than the mean was.
    EXPECT_LE(*std::max_element(load.begin(), load.end()), sum / load.size() + largest);
  }
}

TEST(LearningRate, GrowsWithTheBatchAsNamed) {
  EXPECT_EQ(rate_factor(rate_scaling_named("none"), 8), 1);
  EXPECT_EQ(rate_factor(rate_scaling_named("linear"), 8), 8);
  EXPECT_EQ(rate_factor(rate_scaling_named("sqrt"), 4), 2);
  EXPECT_THROW((void)rate_scaling_named("cubic"), plugin::Failure);
}

TEST(LearningRate, WarmsUpFromTheChosenOneInEqualParts) {
  EXPECT_EQ(warm_factor(5, 0, 4), 1);
  EXPECT_EQ(warm_factor(5, 1, 4), 2);
  EXPECT_EQ(warm_factor(5, 3, 4), 4);
  EXPECT_EQ(warm_factor(5, 4, 4), 5);
  EXPECT_EQ(warm_factor(5, 0, 0), 5);
}

TEST(Timeline, WritesEventsOfAllRanksAsAChromeTrace) {
  const auto start = Timeline::Clock::now();
  std::vector<std::string> ranks;
  for (int rank = 0; rank < 2; ++rank) {
    Timeline timeline(rank);
    timeline.add(Timeline::Track::exchange, "bucket \"0\"", start,
                 start + std::chrono::microseconds(1500), {{"bytes", 4}});
    ranks.push_back(timeline.events_json());
  }
  const support::TemporaryDirectory folder;
  const std::string path = (folder.path() / "trace.json").string();
  write_trace(path, ranks);
  const auto trace = nlohmann::json::parse(support::file_text(path));
  int found = 0;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    EXPECT_EQ(event.at("pid"), found++);
    EXPECT_EQ(event.at("name"), "bucket \"0\"");
    EXPECT_EQ(event.at("dur"), 1500.0);
    EXPECT_EQ(event.at("args").at("bytes"), 4.0);
  }
  EXPECT_EQ(found, 2);
  EXPECT_THROW(write_trace((folder.path() / "no" / "trace.json").string(), ranks), plugin::Failure);
}

TEST(Timeline, KeepsNoMoreThanItsLimit) {
  Timeline timeline(0, 3);
  const auto now = Timeline::Clock::now();
  for (int i = 0; i < 5; ++i) timeline.add(Timeline::Track::compute, "x", now, now);
  EXPECT_EQ(timeline.size(), 3u);
  EXPECT_EQ(timeline.dropped(), 2u);
}

}  // namespace
}  // namespace betatune::distributed
