#include "trainers/own_folder.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "betatune-trainer-";
constexpr const char* kLock = "lock";

/// Held as long as its process lives, and by no one after it.
UniqueFd lock_of(const fs::path& folder, int flags) {
  UniqueFd fd(::open((folder / kLock).c_str(), flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) fd.reset();
  return fd;
}

bool is_own_folder(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::getuid();
}

void remove_leftovers(const fs::path& parent) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(parent, failed)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    if (!is_own_folder(entry.path()) || !lock_of(entry.path(), 0)) continue;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace

OwnFolder::OwnFolder(fs::path path, UniqueFd lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

OwnFolder::~OwnFolder() {
  if (!lock_) return;  // moved from
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Result<OwnFolder> OwnFolder::make(fs::path parent) {
  std::error_code failed;
  if (parent.empty()) parent = fs::temp_directory_path(failed);
  if (!failed) fs::create_directories(parent, failed);
  if (failed) return Error{ErrorKind::unavailable, parent.string() + ": " + failed.message()};
  parent = fs::absolute(parent);
  remove_leftovers(parent);
  std::string name = (parent / (std::string(kPrefix) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return errno_error("make a folder in " + parent.string());
  UniqueFd lock = lock_of(name, O_CREAT);
  if (!lock) return errno_error("lock " + name);
  return OwnFolder(name, std::move(lock));
}

}  // namespace betatune
