#include "optimizer/stores/study_lock.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace betatune {
namespace {

int read_pid(int descriptor) {
  std::array<char, 32> text{};
  const ssize_t bytes = ::pread(descriptor, text.data(), text.size() - 1, 0);
  return bytes <= 0 ? 0 : std::atoi(text.data());
}

Error unavailable(const std::filesystem::path& file) {
  const int code = errno;
  const char* help = code == EROFS || code == EACCES || code == EPERM
                         ? "; make its folder writable for this user, or give another storage.path"
                         : "";
  return Error{ErrorKind::unavailable,
               fmt::format("{}: {}{}", file.string(), std::strerror(code), help)};
}

/// lock_holder() of a reading command may hold a shared lock for some microseconds.
bool lock_patiently(int descriptor) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  errno = EWOULDBLOCK;
  return false;
}

}  // namespace

Result<StudyLock> StudyLock::acquire(const std::filesystem::path& file) {
  StudyLock lock;
  // Close-on-exec: a child that outlives the optimizer must not keep the study locked.
  lock.descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock.descriptor_ < 0) return unavailable(file);
  if (!lock_patiently(lock.descriptor_)) {
    if (errno != EWOULDBLOCK) return unavailable(file);
    return Error{ErrorKind::conflict,
                 fmt::format("{}: another optimizer (process {}) is running this study; stop it "
                             "(`kill -INT {}`), or let it work and look with `betatune status`",
                             file.parent_path().string(), read_pid(lock.descriptor_),
                             read_pid(lock.descriptor_))};
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock.descriptor_, 0) != 0 || ::pwrite(lock.descriptor_, text.data(), text.size(),
                                                        0) != static_cast<ssize_t>(text.size())) {
    return unavailable(file);
  }
  return lock;
}

StudyLock::~StudyLock() {
  // The file stays: removing it would let two processes lock two files of one name.
  if (descriptor_ >= 0) ::close(descriptor_);
}

int lock_holder(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return 0;
  int holder = 0;
  // Held for an instant only; acquire() tries again for longer than that.
  if (::flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    holder = read_pid(descriptor);
  }
  ::close(descriptor);
  return holder;
}

}  // namespace betatune
