#pragma once
/// One optimizer per study on this machine: flock() on `study.lock`, with the holder's pid inside.
/// The kernel releases it when the holder ends, however it ends, so a stale lock cannot exist.

#include <filesystem>

#include "searchspaces/result.hpp"

namespace betatune {

class StudyLock {
 public:
  StudyLock() = default;
  /// Errors: conflict (held; the message names the process), unavailable (cannot be created).
  static Result<StudyLock> acquire(const std::filesystem::path& file);

  ~StudyLock();
  StudyLock(StudyLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StudyLock& operator=(StudyLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

 private:
  int descriptor_ = -1;
};

/// The pid of the optimizer that holds the lock now; 0 if none does.
int lock_holder(const std::filesystem::path& file);

}  // namespace betatune
