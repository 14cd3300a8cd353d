#include "trainers/torch/engine/world.hpp"

#include <gtest/gtest.h>

namespace betatune::engine {
namespace {

TEST(World, PartsCoverEverythingOnceAndDifferByAtMostOne) {
  for (const std::int64_t count : {0, 1, 5, 64, 67}) {
    for (const int size : {1, 2, 3, 8}) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Range part = part_of(count, {rank, size});
        EXPECT_EQ(part.begin, next);
        EXPECT_GE(part.count(), count / size);
        EXPECT_LE(part.count(), count / size + 1);
        next = part.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST(World, RanksWithoutASampleHaveAnEmptyPart) {
  EXPECT_FALSE(part_of(2, {1, 4}).empty());
  EXPECT_TRUE(part_of(2, {2, 4}).empty());
  EXPECT_TRUE(part_of(2, {3, 4}).empty());
}

}  // namespace
}  // namespace betatune::engine
