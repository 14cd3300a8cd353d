#include "searchspaces/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <vector>

namespace betatune {
namespace {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::uint32_t k0,
                                    std::uint32_t k1) {
  const PhiloxBlock out = philox4x32_10({{c[0], c[1], c[2], c[3]}}, k0, k1);
  return {out.word[0], out.word[1], out.word[2], out.word[3]};
}

// The vectors of Random123's kat_vectors file for "philox4x32 10".
TEST(Philox, GivesTheKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffff, 0xffffffff),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Key, ChildrenDifferByNumberPurposeAndParent) {
  const Key root = root_key(42);

  std::set<std::uint64_t> seen{root.lo};
  for (std::uint64_t n = 0; n < 100; ++n) seen.insert(fold_in(root, n).lo);
  for (const char* purpose : {"plan", "trial", "", "plan "}) seen.insert(fold_in(root, purpose).lo);
  seen.insert(root_key(43).lo);
  seen.insert(fold_in(root_key(43), "plan").lo);

  EXPECT_EQ(seen.size(), 107u);
  EXPECT_EQ(fold_in(root, "plan"), fold_in(root_key(42), "plan"));
}

TEST(Key, OrderOfFoldingMatters) {
  const Key root = root_key(1);

  EXPECT_NE(fold_in(fold_in(root, 1), 2), fold_in(fold_in(root, 2), 1));
}

// Frozen on purpose: a study's log can be replayed only while a seed gives the same draws.
TEST(Stream, DrawsOfASeedNeverChange) {
  Stream stream(fold_in(root_key(42), "plan"));

  const std::array<std::uint64_t, 3> drawn{stream.bits(), stream.bits(), stream.bits()};

  EXPECT_EQ(drawn, (std::array<std::uint64_t, 3>{3186572287879034262u, 10813751414989036311u,
                                                 10359917397289015826u}));
}

TEST(Stream, CopyContinuesFromTheSamePlace) {
  Stream stream(root_key(7));
  stream.bits();

  Stream copy = stream;

  for (int i = 0; i < 5; ++i) EXPECT_EQ(stream.bits(), copy.bits());
}

TEST(Stream, UniformFillsTheUnitIntervalEvenly) {
  Stream stream(root_key(3));
  constexpr int kDraws = 100'000;
  std::array<int, 10> cells{};

  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++cells[static_cast<std::size_t>(u * 10)];
  }

  // Standard deviation of a cell's count is 95; five of them leave no chance to a fair stream.
  for (const int count : cells) EXPECT_NEAR(count, kDraws / 10, 475);
}

TEST(Stream, NormalHasTheMomentsOfAStandardNormal) {
  Stream stream(root_key(4));
  constexpr int kDraws = 200'000;
  double sum = 0, squares = 0, fourth = 0;

  for (int i = 0; i < kDraws; ++i) {
    const double z = stream.normal();
    ASSERT_TRUE(std::isfinite(z));
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }

  // Five standard errors: 1/sqrt(n), sqrt(2/n), sqrt(96/n).
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(fourth / kDraws, 3, 5 * std::sqrt(96.0 / kDraws));
}

TEST(Stream, BelowIsUnbiasedWhereModuloWouldNotBe) {
  Stream stream(root_key(5));
  // 2^64 mod n is n/2 here: plain modulo would draw the lower half twice as often.
  const std::uint64_t n = (std::uint64_t{1} << 63) + (std::uint64_t{1} << 62);
  int lower = 0;

  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t draw = stream.below(n);
    ASSERT_LT(draw, n);
    lower += draw < n / 2 ? 1 : 0;
  }

  EXPECT_NEAR(lower, 5'000, 250);
  EXPECT_EQ(stream.below(1), 0u);
}

TEST(Stream, PermutationHoldsEveryNumberOnce) {
  Stream stream(root_key(6));

  std::vector<std::size_t> order = stream.permutation(100);
  const bool shuffled = !std::is_sorted(order.begin(), order.end());
  std::sort(order.begin(), order.end());

  EXPECT_TRUE(shuffled);
  for (std::size_t i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
  EXPECT_TRUE(stream.permutation(0).empty());
}

TEST(Stream, PermutationsOfThreeAreEquallyLikely) {
  Stream stream(root_key(8));
  std::map<std::vector<std::size_t>, int> counts;

  for (int i = 0; i < 6'000; ++i) ++counts[stream.permutation(3)];

  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1'000, 145);  // 5 sd
}

}  // namespace
}  // namespace betatune
