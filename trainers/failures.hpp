#pragma once
/// Which class a failure has. The class decides whether the trial is tried again: `infra` and `oom`
/// are not the configuration's doing as `user` is.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "searchspaces/outcome.hpp"

namespace betatune {

struct AttemptFailure {
  FailureClass kind = FailureClass::user;
  std::string message;
};

/// How a process ended, as its parent sees it.
struct ProcessEnd {
  int wait_status = 0;      ///< as of waitpid
  bool oom_killer = false;  ///< the kernel's out-of-memory killer struck while it ran
  std::string output;       ///< the end of what it wrote
  int rank = 0;             ///< of an attempt with several: the one that ended first
  std::string note;         ///< why the fork server itself ended it; "" if it did not
};

/// The signal that ended a process, also where its shell tells of it as 128 + N; 0 for none.
int ending_signal(int wait_status);

/// `who`: "the trainer", "the command". Precondition: the process did not finish its work.
AttemptFailure failure_of(const ProcessEnd& end, const std::string& who);

/// A trainer's own words ("CUDA out of memory", "No space left on device") refine the class.
FailureClass refine(FailureClass claimed, std::string_view words);

/// Nearly no space or no inodes left where `path` is (or the nearest folder above that exists).
bool disk_is_full(const std::filesystem::path& path);

/// `what`, then the end of the output, within limits::kErrorTextBytes.
std::string failure_text(const std::string& what, const std::string& output);

}  // namespace betatune
