#include "trainers/torch/engine/random.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace betatune::engine {
namespace {

TEST(Random, ScrambleIsSplitMix64) {
  // The first outputs of SplitMix64 seeded with 0 (Vigna's splitmix64.c): states 0 and gamma.
  EXPECT_EQ(scramble(0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(scramble(0x9e3779b97f4a7c15u), 0x6e789e6aa1b965f4u);
}

TEST(Random, KeysDifferByPurposeSeedAndNumber) {
  const std::uint64_t key = derive_key(1, Purpose::order, 1);

  EXPECT_NE(key, derive_key(2, Purpose::order, 1));
  EXPECT_NE(key, derive_key(1, Purpose::dropout, 1));
  EXPECT_NE(key, derive_key(1, Purpose::order, 2));
}

TEST(Random, PermutationHoldsEachNumberOnce) {
  for (const std::size_t count : {0u, 1u, 2u, 100u}) {
    auto order = permutation(count, 7);
    EXPECT_EQ(order, permutation(count, 7));
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(order[i], static_cast<std::int64_t>(i));
  }
}

TEST(Random, PermutationIsUniform) {
  // Six orders of three numbers, 6,000 keys: 1,000 of each, standard deviation 29.
  std::array<int, 27> seen{};
  for (std::uint64_t i = 0; i < 6'000; ++i) {
    const auto order = permutation(3, derive_key(i, Purpose::order));
    ++seen[static_cast<std::size_t>(order[0] * 9 + order[1] * 3 + order[2])];
  }
  for (const int count : seen) EXPECT_TRUE(count == 0 || std::abs(count - 1'000) < 150) << count;
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 0), 21);
}

}  // namespace
}  // namespace betatune::engine
