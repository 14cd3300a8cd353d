#pragma once
/// The population of a differential evolution as a fold over a history, without generations: each
/// slot holds the best result of the trials that competed for it, in whatever order they ended.
///
/// Which slot a trial competes for stands in its note. Trials without one (of the design, enqueued)
/// fill the slots in turn, so every result has a part.

#include <optional>
#include <vector>

#include "optimizer/gp/observations.hpp"

namespace betatune {

inline constexpr const char* kDeOrigin = "de";

struct DePopulation {
  struct Slot {
    std::optional<Eigen::Index> best;  ///< row of the observations; none without a finite loss
    std::size_t trials = 0;            ///< that compete for it, running ones too
  };
  std::vector<Slot> slots;
  double f = 0.5;   ///< centre of the differences' scale, from the latest successes
  double cr = 0.5;  ///< centre of the crossover rate

  /// The slot whose turn it is: the one with the fewest trials.
  std::size_t next() const;
  /// Slots that have a result, best first.
  std::vector<std::size_t> ranked(const Observations& data) const;
};

/// source of the adaptation: Zhang and Sanderson 2009, JADE: the Lehmer mean of the scales and the
/// mean of the rates that made better points, here of the latest `size` of them, beside five that
/// stand for 0.5.
DePopulation de_population(const History& history, const Observations& data, std::size_t size);

}  // namespace betatune
