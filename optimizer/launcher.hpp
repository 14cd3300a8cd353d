#pragma once
/// Starts trainer processes where they should run. Adapters in launchers/: local.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "configs/study_spec.hpp"
#include "optimizer/registry.hpp"

namespace betatune {

/// The names of trainers that a launcher starts on this machine begin so.
inline constexpr const char* kLaunchedPrefix = "local-";

struct LaunchSpec {
  std::string endpoint;                 ///< what betatune-trainer --connect gets
  std::filesystem::path token_file;     ///< empty: none
  std::filesystem::path key_file;       ///< empty: none
  std::filesystem::path log_directory;  ///< one file per trainer
};

/// One launched trainer process, for people and for restarts.
struct LaunchedTrainer {
  std::string name;
  bool alive = false;
  std::string detail;  ///< "pid 4711", "exited with status 1: ..."
};

class Launcher {
 public:
  static constexpr const char* kOptionsPath = "launcher";

  virtual ~Launcher() = default;
  /// Starts `count()` trainers. Errors: not_found (no betatune-trainer), unavailable.
  virtual Status start(const LaunchSpec& spec) = 0;
  /// How many trainers it is asked to keep running.
  virtual int count() const = 0;
  /// Restarts dead trainers with a growing delay; returns the present list. Cheap; called on ticks.
  virtual std::vector<LaunchedTrainer> poll() = 0;
  /// Asks all to end (SIGTERM), then after `grace` ends them (SIGKILL). No process is left behind.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

struct LauncherContext {
  const StudySpec& spec;
};
using LauncherRegistry = Registry<Launcher, LauncherContext>;

/// That of `launcher.name`; an unknown name is a diagnostic at `mark`, and nullptr.
const LauncherRegistry::Entry* find_launcher(const StudySpec& spec, const Mark& mark,
                                             Diagnostics& diagnostics);

}  // namespace betatune
