#pragma once
/// The first trials of a searcher that learns: the study's design, until there is something to
/// learn from.

#include "optimizer/searcher.hpp"
#include "optimizer/searchers/seen.hpp"

namespace betatune {

class StartUp {
 public:
  /// `initial.count` and `initial.design` of the study; `otherwise` trials where it names no count,
  /// about half of them where there are earlier studies to learn from.
  StartUp(const StudySpec& spec, std::int64_t otherwise);

  std::int64_t count() const { return count_; }
  /// How many of the next `count` suggestions the design is to give: those that are missing until
  /// `count()` trials are spoken for, all of them while the searcher has nothing to learn from.
  int due(const History& history, bool informed, int count) const;
  /// Points of the design, marked as taken: the best of earlier studies, the centre if it is the
  /// study's first trial, then from the scrambled Sobol sequence; or random draws. Fewer than
  /// `count` only if the space is exhausted. Precondition: `seen` is synced.
  std::vector<Suggestion> suggest(const History& history, const SeenTrials& seen, FreshBatch& batch,
                                  int count, Key key) const;

 private:
  std::int64_t count_;
  bool random_;
  std::size_t earlier_;  ///< of them, the best of earlier studies
};

}  // namespace betatune
