#pragma once
/// A study opened for work: store locked, log replayed, policies made. What `run` and `ask-tell`
/// do before their first input.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"
#include "optimizer/store.hpp"

namespace betatune {

struct SessionOptions {
  bool in_memory = false;  ///< no store on disk
  bool fresh = false;      ///< set an earlier study of this name aside
  std::string token;       ///< trainers must show it
  std::optional<Monotonic> rejoin_grace;
  std::string launched_before;
  std::optional<int> ahead;  ///< suggestions kept in hand (CoordinatorOptions)
};

struct StudySession {
  std::shared_ptr<const StudySpec> spec;
  std::filesystem::path directory;  ///< of the study, absolute
  std::unique_ptr<StudyStore> store;
  Policies policies;
  std::unique_ptr<Coordinator> coordinator;  ///< replayed, not started
  /// How the study file differs from the recorded one, a line each; starting accepts them.
  std::vector<std::string> changes;
  /// Where --fresh has moved the earlier study; empty if there was none.
  std::filesystem::path set_aside;
};

/// The study's folder: storage.path or runs/NAME, absolute.
std::filesystem::path study_directory(const StudySpec& spec);

/// Moves a study's folder to a name beside it, so that the next one begins empty; returns where, or
/// nothing if there was none. Errors: conflict (an optimizer works on it), unavailable.
Result<std::filesystem::path> set_study_aside(const std::filesystem::path& directory);

/// Opens, locks and replays. Nothing is appended yet: a user who does not accept the changes leaves
/// the log as it was. `file`: the study file, for trainers' relative paths. Problems with the
/// searcher's and the scheduler's options go to `diagnostics` (error: invalid_argument). Other
/// errors: the store's.
Result<StudySession> open_session(std::shared_ptr<const StudySpec> spec,
                                  const std::filesystem::path& file, const SessionOptions& options,
                                  Diagnostics& diagnostics);

}  // namespace betatune
