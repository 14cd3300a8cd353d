#pragma once
/// Deletes checkpoints that nothing can need any more. Only what the durable log says decides, so a
/// kill at any moment leaves at most too much, never too little: the next sweep removes it.
///
/// Kept are: of a trial that is not closed, its newest recorded checkpoint, `keep` - 1 older ones,
/// the one that it was resumed from, the newest at which it reached its goal (other trials may
/// begin with it), and whatever is newer than the recorded one (just published, its report is on
/// the way); the newest of the best trial and of the `best` closed trials (the best of all may
/// still lose its standing); and with `rungs` those at which a trial reached a rung. What a trial
/// has from its parent is kept in the parent's folder by the same rules.

#include <filesystem>
#include <optional>
#include <set>
#include <span>

#include "configs/study_spec.hpp"
#include "optimizer/study_state.hpp"
#include "transport/object_store.hpp"

namespace betatune {

class CheckpointKeeper {
 public:
  /// study_dir the folder that checkpoints' uris are relative to
  CheckpointKeeper(std::filesystem::path study_dir, const CheckpointsSpec& rules);

  /// Looks at every trial: once, at the start.
  void sweep(const StudyState& state);
  /// Looks at the trials that these events are about. Call it when they are durable.
  void on_events(std::span<const Event> events, const StudyState& state);

 private:
  std::set<TrialId> settle_best(const StudyState& state, const std::set<TrialId>& closed);
  void rank(const StudyState& state, TrialId first);
  bool is_best(const StudyState& state, TrialId first) const;
  std::set<std::string> needed_by_copies(const StudyState& state, const Trial& trial) const;
  void tidy(const StudyState& state, TrialId id) const;

  std::filesystem::path study_dir_;
  CheckpointsSpec rules_;
  ObjectStore objects_;
  std::optional<TrialId> best_;       ///< of the whole study, as last seen
  std::vector<TrialId> best_closed_;  ///< of the closed trials, at most rules_.best, best first
  std::set<TrialId> front_;           ///< with several objectives, as last seen
};

}  // namespace betatune
