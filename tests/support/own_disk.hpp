#pragma once
/// A small disk of a test's own, that can be filled up and made read-only: a tmpfs in a mount
/// namespace of this process, so that nobody else sees it and it goes with the process.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/support/temporary_directory.hpp"

namespace betatune::support {

/// Enters a mount namespace, once in a process: as root, or in a user namespace of its own.
/// Returns why that is impossible; "" if it is done. Precondition: this process has one thread.
inline std::string enter_mount_namespace() {
  static const std::string why = [] {
    const std::string uid = std::to_string(::geteuid());
    const std::string gid = std::to_string(::getegid());
    if (::geteuid() != 0 || ::unshare(CLONE_NEWNS) != 0) {
      if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return std::string("no mount namespace: ") + std::strerror(errno);
      }
      std::ofstream("/proc/self/setgroups") << "deny";
      std::ofstream("/proc/self/uid_map") << uid << ' ' << uid << " 1";
      std::ofstream("/proc/self/gid_map") << gid << ' ' << gid << " 1";
    }
    // Nothing that is mounted from here on shows outside.
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return std::string("mounts stay shared: ") + std::strerror(errno);
    }
    return std::string();
  }();
  return why;
}

class OwnDisk {
 public:
  explicit OwnDisk(std::size_t bytes) : why_not_(enter_mount_namespace()) {
    if (!why_not_.empty()) return;
    const std::string options = "mode=0755,size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", path().c_str(), "tmpfs", 0, options.c_str()) == 0;
    if (!mounted_) why_not_ = std::string("no tmpfs: ") + std::strerror(errno);
  }
  ~OwnDisk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }
  OwnDisk(const OwnDisk&) = delete;
  OwnDisk& operator=(const OwnDisk&) = delete;

  /// Why this machine gives no such disk; "" if it does.
  const std::string& why_not() const { return why_not_; }
  const std::filesystem::path& path() const { return folder_.path(); }

  /// Leaves no byte free, in a file of its own.
  void fill() {
    const int file =
        ::open((path() / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) std::abort();
    const std::string block(64 * 1024, 'x');
    for (std::size_t size = block.size(); size > 0;) {
      const ssize_t put = ::write(file, block.data(), size);
      if (put <= 0) size /= 2;
    }
    ::close(file);
  }
  void make_room() { std::filesystem::remove(path() / "filler"); }

  void make_read_only() {
    if (::mount("none", path().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      std::abort();
    }
  }

 private:
  TemporaryDirectory folder_;
  std::string why_not_;
  bool mounted_ = false;
};

}  // namespace betatune::support
