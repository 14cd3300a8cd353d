/// The search for the fastest way to exchange gradients, on made-up surfaces of times.

#include "trainers/torch/distributed/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <gtest/gtest.h>
#include <random>

namespace betatune::distributed {
namespace {

constexpr std::size_t kKiB = 1 << 10, kMiB = 1 << 20;

/// 40 layers of 1 MiB, and their biases.
TuningSpace space_of_layers() {
  TuningSpace space;
  space.start = {{kMiB, 25 * kMiB}, 256 * kKiB};
  for (int i = 0; i < 40; ++i) {
    space.gradients.push_back({kMiB, 1});
    space.gradients.push_back({4 * kKiB, 1});
  }
  space.pieces = {64 * kKiB, 128 * kKiB, 256 * kKiB, 512 * kKiB, kMiB};
  return space;
}

using Surface = std::function<double(const Knobs&)>;

/// Seconds of a step whose backward pass takes 0.1 s: each message costs `latency` s, buckets go at
/// 1 GB/s while the pass goes on, and the piece that the caches like best is `piece` bytes.
Surface network(const TuningSpace& space, double latency, double piece) {
  return [&space, latency, piece](const Knobs& k) {
    const auto order = reverse_order(space.gradients.size());
    double all = 0, ready = 0, wire = 0;
    for (const auto& g : space.gradients) all += static_cast<double>(g.bytes);
    const double off = std::log2(static_cast<double>(k.piece_bytes) / piece);
    for (const auto& bucket : assign_buckets(space.gradients, order, k.buckets)) {
      double bytes = 0;
      for (const auto i : bucket) bytes += static_cast<double>(space.gradients[i].bytes);
      ready += 0.1 * bytes / all;
      wire = std::max(wire, ready) + latency + bytes / 1e9 * (1 + 0.05 * off * off);
    }
    return wire;
  };
}

struct Found {
  Tuning tuning;
  std::vector<Knobs> asked;
  std::vector<double> seconds;
};

Found search(const TuningSpace& space, const Surface& surface) {
  Found found;
  while ((found.tuning = tune(space, found.seconds)).next && found.seconds.size() < 100) {
    found.asked.push_back(*found.tuning.next);
    found.seconds.push_back(surface(*found.tuning.next));
  }
  return found;
}

double least_of_all(const TuningSpace& space, const Surface& surface) {
  double least = INFINITY;
  for (int b = -6; b <= 5; ++b) {
    for (int f = -4; f <= 6; ++f) {
      for (const std::size_t piece : space.pieces) {
        const auto of = [](std::size_t bytes, int power) {
          return static_cast<std::size_t>(std::ldexp(static_cast<double>(bytes), power));
        };
        least = std::min(least, surface({{of(kMiB, f), of(25 * kMiB, b)}, piece}));
      }
    }
  }
  return least;
}

TEST(Tuning, ComesWithinTwoPercentOfTheBestOfAllSettings) {
  const TuningSpace space = space_of_layers();
  for (const double latency : {1e-6, 1e-4, 1e-3, 1e-2}) {
    for (const double piece : {64e3, 256e3, 1e6}) {
      const Surface surface = network(space, latency, piece);
      const Found found = search(space, surface);
      EXPECT_LE(surface(found.tuning.best), 1.02 * least_of_all(space, surface))
          << latency << " s per message, pieces of " << piece;
      EXPECT_LE(found.seconds.size(), kTuningScores);
      EXPECT_DOUBLE_EQ(found.tuning.speed_up, surface(space.start) / surface(found.tuning.best));
    }
  }
}

TEST(Tuning, EndsInTimeAndNotBehindTheStartHoweverNoisyTheTimes) {
  const TuningSpace space = space_of_layers();
  const Surface surface = network(space, 1e-3, 256e3);
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise(0, 0.05);
    const Found found =
        search(space, [&](const Knobs& k) { return surface(k) * std::exp(noise(random)); });
    EXPECT_LE(found.seconds.size(), kTuningScores);
    // Three duels with noise of 5 % may take what is a little slower.
    EXPECT_LE(surface(found.tuning.best), 1.05 * surface(space.start)) << seed;
  }
}

TEST(Tuning, KeepsTheStartWhereNothingIsFaster) {
  const TuningSpace space = space_of_layers();
  const Found found = search(space, [](const Knobs&) { return 0.25; });
  EXPECT_EQ(found.tuning.best, space.start);
  EXPECT_EQ(found.tuning.speed_up, 1);
}

TEST(Tuning, KeepsTheStartWhereAGainDoesNotComeAgain) {
  const TuningSpace space = space_of_layers();
  int asked = 0;
  // Another program slowed the first window down.
  const Found found = search(space, [&](const Knobs&) { return asked++ == 0 ? 0.5 : 0.25; });
  EXPECT_EQ(found.tuning.best, space.start);
  EXPECT_EQ(std::count(found.asked.begin(), found.asked.end(), space.start), 4);
}

TEST(Tuning, AsksForNothingTwiceButInTheDuel) {
  const TuningSpace space = space_of_layers();
  const Found found = search(space, network(space, 1e-4, 64e3));
  const auto order = reverse_order(space.gradients.size());
  std::vector<std::pair<std::vector<std::vector<std::size_t>>, std::size_t>> effects;
  for (std::size_t i = 0; i + 6 < found.asked.size(); ++i) {
    effects.emplace_back(assign_buckets(space.gradients, order, found.asked[i].buckets),
                         found.asked[i].piece_bytes);
  }
  std::sort(effects.begin(), effects.end());
  EXPECT_EQ(std::adjacent_find(effects.begin(), effects.end()), effects.end());
}

TEST(Tuning, GoesOnFromAnyScoreAsIfItHadNotStopped) {
  const TuningSpace space = space_of_layers();
  const Found found = search(space, network(space, 1e-3, 1e6));
  ASSERT_GT(found.seconds.size(), 10u);
  for (std::size_t n = 0; n < found.seconds.size(); ++n) {
    const auto begin = found.seconds.begin();
    const std::vector<double> first(begin, begin + static_cast<std::ptrdiff_t>(n));
    EXPECT_EQ(*tune(space, first).next, found.asked[n]);
  }
}

TEST(Tuning, TakesOnlyPiecesThatTheBackendHas) {
  TuningSpace space = space_of_layers();
  const Surface towards_small = [](const Knobs& k) { return static_cast<double>(k.piece_bytes); };
  EXPECT_EQ(search(space, towards_small).tuning.best.piece_bytes, 64 * kKiB);
  space.pieces.clear();
  space.start.piece_bytes = 0;
  for (const Knobs& k : search(space, [](const Knobs&) { return 1; }).asked) {
    EXPECT_EQ(k.piece_bytes, 0u);
  }
}

TEST(Tuning, HasNothingToFindWhereAllIsOneBucketAnyway) {
  TuningSpace space;
  space.start = {{kMiB, 25 * kMiB}, 0};
  space.gradients = {{10 * kKiB, 1}};
  EXPECT_EQ(search(space, [](const Knobs&) { return 1; }).seconds.size(), 1u);
}

TEST(Tuning, FindsItsWayUpFromBucketsThatAreTooSmallForTheSearch) {
  TuningSpace space = space_of_layers();
  space.start.buckets = {kKiB, kKiB};
  const Surface surface = [&](const Knobs& k) {
    const auto order = reverse_order(space.gradients.size());
    return static_cast<double>(assign_buckets(space.gradients, order, k.buckets).size());
  };
  EXPECT_LT(surface(search(space, surface).tuning.best), surface(space.start));
}

}  // namespace
}  // namespace betatune::distributed
