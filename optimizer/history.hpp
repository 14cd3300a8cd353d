#pragma once
/// What a searcher sees: an immutable snapshot of the trials, and what else is already spoken for.

#include <memory>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/study_state.hpp"

namespace betatune {

struct History {
  std::shared_ptr<const StudySpec> spec;
  TrialTable trials;
  /// Suggested (or enqueued) but not yet trials: pending too, never to be suggested again.
  std::vector<Configuration> queued;
  /// Position in the log; recorded with the plan, so that it can be replayed.
  Sequence seq = 0;
  /// What the study learns from beside its own trials.
  std::vector<std::shared_ptr<const EarlierStudyRead>> earlier = {};

  const SearchSpace& space() const { return spec->space; }
};

}  // namespace betatune
