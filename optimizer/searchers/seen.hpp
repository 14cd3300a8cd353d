#pragma once
/// Which configurations a study has already spoken for, so that none is suggested twice.

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "optimizer/history.hpp"

namespace betatune {

/// The configurations of a history's trials. A cache: `sync` reads only what is new since the last
/// history, and rebuilds if it is given another study's.
class SeenTrials {
 public:
  void sync(const History& history);
  bool contains(const Configuration& configuration) const;
  /// How many trials have this origin.
  std::size_t count_of(const std::string& origin) const;

 private:
  std::vector<std::shared_ptr<const Configuration>> by_trial_;
  std::unordered_multimap<std::uint64_t, const Configuration*> by_hash_;
  std::map<std::string, std::size_t> origins_;
};

/// What is new in one call of suggest(): neither a trial, nor queued, nor accepted before.
class FreshBatch {
 public:
  /// `seen` must be synced with `history`; both must outlive the batch.
  FreshBatch(const History& history, const SeenTrials& seen);

  bool is_fresh(const Configuration& configuration) const;
  /// Marks it as spoken for. Returns false if it was already.
  bool take(const Configuration& configuration);
  /// A random configuration that is fresh and meets the constraints: by rejection from the prior,
  /// then (in a finite space) by walking through all of it. Nothing if the space is exhausted.
  std::optional<Configuration> draw(Key key) const;

 private:
  const History& history_;
  const SeenTrials& seen_;
  std::set<Configuration> taken_;
};

}  // namespace betatune
