#pragma once
/// Publishing a checkpoint: written beside, sealed, made durable, then renamed, so that a reader
/// sees it whole or not at all, whatever is killed when; and reading one, which finds damage.

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
  /// Digests, fsync of all files and folders, rename, fsync of the parent. Errors: unavailable,
  /// invalid_argument (seal_folder()).
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

/// The folder of a published checkpoint, checked byte for byte if its digest is known. Errors:
/// invalid_argument (a uri that leaves the study's folder), corrupt (damaged, or missing from a
/// folder that is the study's), not_found (this machine does not see the study's folder),
/// unavailable.
Result<std::filesystem::path> checkpoint_path(const std::filesystem::path& study_dir,
                                              const ArtifactRef& artifact);
/// The failure of an attempt that got this error from checkpoint_path().
FailureClass class_of_unreadable(const Error& error);

}  // namespace betatune
