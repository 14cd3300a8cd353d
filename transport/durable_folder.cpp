#include "transport/durable_folder.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>

namespace betatune {
namespace {

namespace fs = std::filesystem;

Error failure(const fs::path& path, const std::error_code& code) {
  return Error{ErrorKind::unavailable, path.string() + ": " + code.message()};
}

Status sync_path(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const std::error_code code(errno, std::generic_category());
  if (fd >= 0) ::close(fd);
  if (!synced) return failure(path, code);
  return Ok{};
}

}  // namespace

Status sync_folder(const fs::path& folder) {
  return sync_path(folder, O_RDONLY | O_DIRECTORY);
}

Result<std::uint64_t> sync_tree(const fs::path& root) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_regular_file(status)) {
      BETATUNE_CHECK(sync_path(at->path(), O_RDONLY));
      bytes += at->file_size(error);
    } else if (fs::is_directory(status)) {
      BETATUNE_CHECK(sync_folder(at->path()));
    }
  }
  if (error) return failure(root, error);
  BETATUNE_CHECK(sync_folder(root));
  return bytes;
}

Status move_into_place(const fs::path& from, const fs::path& to, const fs::path& root) {
  std::error_code error;
  fs::create_directories(to.parent_path(), error);
  if (error) return failure(to.parent_path(), error);
  fs::rename(from, to, error);
  if (error) return failure(from, error);
  for (fs::path folder = to.parent_path();; folder = folder.parent_path()) {
    BETATUNE_CHECK(sync_folder(folder));
    if (folder == root || folder == folder.parent_path()) return Ok{};
  }
}

}  // namespace betatune
