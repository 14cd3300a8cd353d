#include "transport/private_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 64u << 10;

bool write_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t put = ::write(fd, text.data() + done, text.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    done += static_cast<std::size_t>(put);
  }
  return ::fsync(fd) == 0;
}

}  // namespace

Status make_private_folder(const fs::path& folder) {
  std::error_code failed;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), failed);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return Error{ErrorKind::unavailable,
                 fmt::format("{}: cannot be made: {}", folder.string(), std::strerror(errno))};
  }
  struct stat found {};
  // lstat: a link that somebody else put there must not lead to a folder of theirs.
  if (lstat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("{}: must be a folder (not a link)", folder.string())};
  }
  if (found.st_uid != geteuid() || (found.st_mode & 077) != 0) {
    return Error{ErrorKind::invalid_argument,
                 fmt::format("{}: others may enter this folder; `chmod 700 {}` (as its owner), or "
                             "choose another folder",
                             folder.string(), folder.string())};
  }
  return Ok{};
}

Status write_private(const fs::path& file, const std::string& text) {
  const fs::path draft = file.string() + ".new";
  ::unlink(draft.c_str());
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool fine = fd >= 0 && write_all(fd, text);
  if (fd >= 0) ::close(fd);
  if (!fine || ::rename(draft.c_str(), file.c_str()) != 0) {
    const int reason = errno;
    ::unlink(draft.c_str());
    return Error{ErrorKind::unavailable,
                 fmt::format("{}: cannot be written: {}", file.string(), std::strerror(reason))};
  }
  return Ok{};
}

Result<std::string> read_private(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    return Error{ErrorKind::not_found,
                 fmt::format("{}: cannot be read: {}", file.string(), std::strerror(errno))};
  }
  struct stat found {};
  const bool is_private = ::fstat(fd, &found) == 0 && (found.st_mode & 077) == 0;
  std::string text(kMostBytes, '\0');
  std::size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < text.size();) {
    got = ::read(fd, text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) got = 1;
  }
  ::close(fd);
  text.resize(size);
  if (is_private) return text;
  return Error{ErrorKind::invalid_argument,
               fmt::format("{}: others may read this secret; make a new one, or `chmod 600` it if "
                           "nobody has",
                           file.string())};
}

}  // namespace betatune
