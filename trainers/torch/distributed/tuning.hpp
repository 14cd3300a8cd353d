#pragma once
/// Finds how gradients are best exchanged, during the first steps of a training: sizes of buckets,
/// and of the pieces in which a backend sends them. None of it changes what is computed, so it is
/// searched while the training goes on. No libtorch, no clock and no other rank here.
///
/// The search is a pure function of the scores so far: who has the scores (a checkpoint, another
/// rank) has the search.

#include <cstddef>
#include <optional>
#include <vector>

#include "trainers/torch/distributed/buckets.hpp"

namespace betatune::distributed {

/// What only the speed depends on.
struct Knobs {
  BucketLimits buckets;
  std::size_t piece_bytes = 0;  ///< 0: the backend has no such thing

  bool operator==(const Knobs& other) const {
    return buckets.first_bytes == other.buckets.first_bytes &&
           buckets.bytes == other.buckets.bytes && piece_bytes == other.piece_bytes;
  }
};

struct TuningSpace {
  Knobs start;
  /// Two knobs that put these into the same buckets are one.
  std::vector<GradientSize> gradients;
  /// Of a piece, ascending; empty where the backend has none.
  std::vector<std::size_t> pieces;
};

struct Tuning {
  std::optional<Knobs> next;  ///< to be scored; none: the search is over
  Knobs best;                 ///< so far
  /// Time of a step with the start, over that with the best; 1 until the search is over.
  double speed_up = 1;
};

/// A pattern search: from the start, one knob at a time is multiplied or divided by 4, then by 2,
/// as long as a step takes less time (by 1 %: what is less is noise). Then the best and the start
/// are scored in turns, three times each, and the best is only taken if it wins again.
///
/// seconds  of a step, for each of the knobs asked for so far, in that order
/// returns  at most kTuningScores scores are asked for
/// source   Hooke and Jeeves 1961, doi:10.1145/321062.321069
Tuning tune(const TuningSpace& space, const std::vector<double>& seconds);

inline constexpr std::size_t kTuningScores = 26;

}  // namespace betatune::distributed
