#pragma once
/// Starts programs whose whole family can be found again: every descendant inherits a variable in
/// its environment, whatever sessions, groups and parents it may have by then.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "searchspaces/result.hpp"
#include "tests/support/file_text.hpp"

namespace betatune::support {

struct MarkedProcess {
  pid_t pid = 0;
  std::vector<std::string> arguments;

  bool has_argument(const std::string& argument) const {
    for (const std::string& each : arguments) {
      if (each == argument) return true;
    }
    return false;
  }
};

class ProcessFamily {
 public:
  explicit ProcessFamily(std::filesystem::path directory)
      : directory_(std::move(directory)), mark_("BETATUNE_TEST_FAMILY=" + directory_.string()) {}
  ~ProcessFamily() { kill_all(); }
  ProcessFamily(const ProcessFamily&) = delete;
  ProcessFamily& operator=(const ProcessFamily&) = delete;

  /// Starts a program in the family's folder, its output appended to `output` there.
  pid_t start(std::vector<std::string> arguments, const std::string& output) {
    std::vector<char*> argv;
    for (std::string& each : arguments) argv.push_back(each.data());
    argv.push_back(nullptr);
    const std::string log = (directory_ / output).string();
    const pid_t child = fork();
    if (child != 0) return child;
    putenv(mark_.data());
    if (chdir(directory_.c_str()) != 0 || std::freopen(log.c_str(), "a", stdout) == nullptr ||
        dup2(STDOUT_FILENO, STDERR_FILENO) < 0) {
      _exit(126);
    }
    execv(argv[0], argv.data());
    _exit(127);
  }

  /// All members that are alive (zombies are not).
  std::vector<MarkedProcess> alive() const {
    std::vector<MarkedProcess> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
      const long pid = std::strtol(entry.path().filename().c_str(), nullptr, 10);
      if (pid <= 0 || pid == getpid()) continue;
      const std::string environment = '\0' + read(entry.path() / "environ");
      if (environment.find('\0' + mark_ + '\0') == std::string::npos) continue;
      found.push_back({static_cast<pid_t>(pid), split(read(entry.path() / "cmdline"))});
    }
    return found;
  }

  /// Whether the family dies out within a time that is long for any machine.
  bool dies_out() const {
    for (int i = 0; i < 1'000; ++i) {
      if (alive().empty()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  void kill_all() {
    for (const MarkedProcess& each : alive()) ::kill(each.pid, SIGKILL);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }

  const std::filesystem::path& directory() const { return directory_; }

 private:
  static std::string read(const std::filesystem::path& path) {
    // A process may end while it is read: then what came until there is all (an iterator over the
    // file would throw).
    return file_text(path);
  }
  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from < text.size();) {
      const std::size_t to = std::min(text.find('\0', from), text.size());
      parts.push_back(text.substr(from, to - from));
      from = to + 1;
    }
    return parts;
  }

  std::filesystem::path directory_;
  std::string mark_;
};

/// The exit status of a child, or -signal; waits for it.
inline int wait_status(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return -1'000;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// The same if the child has ended, else nothing.
inline std::optional<int> ended_status(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace betatune::support
