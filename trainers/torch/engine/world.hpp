#pragma once
/// How the samples of a batch, or the batches of a data set, are dealt out to the ranks of a gang.

#include <cstdint>

namespace betatune::engine {

struct World {
  int rank = 0;  ///< 0 .. size-1
  int size = 1;
};

struct Range {
  std::int64_t begin = 0, end = 0;
  std::int64_t count() const { return end - begin; }
  bool empty() const { return begin == end; }
};

/// The part of 0 .. count-1 that is this rank's: parts are contiguous, in the order of ranks, and
/// differ by at most one; with fewer things than ranks, some have none.
constexpr Range part_of(std::int64_t count, World world) {
  const std::int64_t share = count / world.size, more = count % world.size, rank = world.rank;
  const std::int64_t begin = rank * share + (rank < more ? rank : more);
  return {begin, begin + share + (rank < more ? 1 : 0)};
}

}  // namespace betatune::engine
