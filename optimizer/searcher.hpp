#pragma once
/// A searcher decides where to look next. It is a pure function of (history, count, key): no hidden
/// state but caches that hold only what a cold start would recompute. One file each in searchers/.

#include <optional>
#include <string>
#include <vector>

#include "optimizer/history.hpp"
#include "optimizer/registry.hpp"

namespace betatune {

struct Suggestion {
  Configuration configuration;
  std::string origin;
  Json note;  ///< remembered with the trial: why this one; null if there is nothing to say
};

class Searcher {
 public:
  static constexpr const char* kOptionsPath = "algorithm";

  virtual ~Searcher() = default;

  /// Up to `count` configurations that satisfy space().check(), distinct from each other and from
  /// every trial and queued configuration of `history` while unseen ones remain. Fewer than `count`
  /// only if the space is exhausted (a grid's end, every configuration of a finite space seen).
  /// threads: called from the worker pool, one call at a time.
  virtual std::vector<Suggestion> suggest(const History& history, int count, Key key) const = 0;

  /// The configuration believed best, for noisy objectives. By default the best observed one.
  virtual std::optional<Configuration> recommend(const History& history) const;

  /// Whether a suggestion may be made before the results of running trials are known without losing
  /// by it (random, Sobol, grid): then the coordinator asks ahead and slots never wait. A model
  /// asks when a slot is free: it answers in milliseconds, and each result makes it better.
  virtual bool asks_ahead() const { return true; }
};

/// What a policy's maker gets besides its own options.
struct PolicyContext {
  const StudySpec& spec;
};

using SearcherRegistry = Registry<Searcher, PolicyContext>;

}  // namespace betatune
