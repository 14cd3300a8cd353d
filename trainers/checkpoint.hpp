#pragma once
/// Publishing a checkpoint: written beside, made durable, then renamed, so that a reader sees it
/// whole or not at all, whatever is killed when.

#include <filesystem>

#include "searchspaces/outcome.hpp"

namespace betatune {

/// study_dir/checkpoints/trial-T/attempt-A-step-S, written through its neighbour
/// attempt-A-next.tmp.
class CheckpointFolder {
 public:
  CheckpointFolder(std::filesystem::path study_dir, TrialId trial, AttemptId attempt);

  /// An empty folder to write a checkpoint into. Left-overs of killed attempts go.
  Result<std::filesystem::path> begin();
  /// fsync of all files and folders, rename, fsync of the parent. Errors: unavailable.
  Result<ArtifactRef> publish(Step step);
  /// Removes what begin() made.
  void abandon();

 private:
  std::filesystem::path relative(Step step) const;
  std::filesystem::path temporary() const;

  std::filesystem::path study_dir_;
  TrialId trial_;
  AttemptId attempt_;
  bool new_folder_ = false;  ///< its own entry is not durable yet
};

/// The folder of a published checkpoint. Errors: invalid_argument (a uri that leaves the study's
/// folder), not_found.
Result<std::filesystem::path> checkpoint_path(const std::filesystem::path& study_dir,
                                              const ArtifactRef& artifact);

}  // namespace betatune
