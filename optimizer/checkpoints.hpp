#pragma once
/// Deletes checkpoints that nothing can need any more. Only what the durable log says decides, so a
/// kill at any moment leaves at most too much, never too little: the next sweep removes it.
///
/// Kept are: of a trial that is not closed, its newest recorded checkpoint, `keep` - 1 older ones,
/// and whatever is newer than the recorded one (just published, its report is on the way); and the
/// newest of the best trial and of the best closed trial (the best one may still lose its
/// standing).

#include <filesystem>
#include <optional>
#include <set>
#include <span>

#include "optimizer/study_state.hpp"

namespace betatune {

class CheckpointKeeper {
 public:
  /// study_dir the folder that checkpoints' uris are relative to; keep >= 1
  CheckpointKeeper(std::filesystem::path study_dir, int keep);

  /// Looks at every trial: once, at the start.
  void sweep(const StudyState& state);
  /// Looks at the trials that these events are about. Call it when they are durable.
  void on_events(std::span<const Event> events, const StudyState& state);

 private:
  std::set<TrialId> settle_best(const StudyState& state, const std::set<TrialId>& closed);
  void tidy(const StudyState& state, TrialId id) const;

  std::filesystem::path study_dir_;
  int keep_;
  std::optional<TrialId> best_;         ///< of the whole study, as last seen
  std::optional<TrialId> best_closed_;  ///< of the closed trials
  std::set<TrialId> front_;             ///< with several objectives, as last seen
};

}  // namespace betatune
