#pragma once
/// Types commands as a user does, in a folder, with this build's programs first in PATH; without a
/// terminal (data, talk and exit status apart) or on one.

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <pty.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/file_text.hpp"

namespace betatune::support {

struct Ended {
  int status = -1;  ///< of the exit; -signal
  std::string out, err;
};

/// `command` for sh, with nothing of this test's own terminal settings.
inline std::string as_typed(const std::filesystem::path& folder, const std::string& command) {
  return "cd '" + folder.string() + "' && unset NO_COLOR CLICOLOR CLICOLOR_FORCE COLUMNS LINES; " +
         "export TERM=xterm-256color PATH='" BETATUNE_BINARY_DIR "/bin':\"$PATH\"; " + command;
}

inline int exit_status(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -WTERMSIG(wait_status);
}

/// Runs a command to its end, its output in no terminal.
inline Ended type(const std::filesystem::path& folder, const std::string& command) {
  const std::filesystem::path err = folder / ".typed-stderr";
  Ended ended;
  FILE* pipe = ::popen(
      ("exec 2>'" + err.string() + "' </dev/null; " + as_typed(folder, command)).c_str(), "r");
  if (pipe == nullptr) return ended;
  std::array<char, 4096> buffer{};
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    ended.out.append(buffer.data(), got);
  }
  ended.status = exit_status(::pclose(pipe));
  ended.err = file_text(err);
  std::filesystem::remove(err);
  return ended;
}

/// A command on a terminal of its own, which holds all that it wrote.
class Terminal {
 public:
  /// Why this machine has none to give, as a chroot without /dev/pts; empty if it has.
  static std::string why_not() {
    int ours = -1, theirs = -1;
    if (::openpty(&ours, &theirs, nullptr, nullptr, nullptr) != 0) {
      return std::string("no pseudo-terminals here: ") + std::strerror(errno);
    }
    ::close(ours);
    ::close(theirs);
    return {};
  }

  Terminal(const std::filesystem::path& folder, const std::string& command,
           unsigned short columns = 80) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    const std::string text = as_typed(folder, command);
    pid_ = ::forkpty(&screen_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::execl("/bin/sh", "sh", "-c", text.c_str(), nullptr);
      ::_exit(127);
    }
  }
  ~Terminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(screen_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Reads until this was written; false if the command ends without, or not in a minute.
  bool shows(const std::string& text) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (written_.find(text) == std::string::npos) {
      if (std::chrono::steady_clock::now() > limit || !read_more()) return false;
    }
    return true;
  }
  /// Ctrl-C and its like, typed.
  void press(char key) const {
    if (::write(screen_, &key, 1) != 1) std::abort();
  }
  /// Reads to the end; the exit status.
  int wait() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return exit_status(status);
  }
  const std::string& written() const { return written_; }

 private:
  bool read_more() {
    constexpr int kLongestMs = 60'000;
    pollfd waiting{screen_, POLLIN, 0};
    if (::poll(&waiting, 1, kLongestMs) <= 0) return false;
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(screen_, buffer.data(), buffer.size());
    if (got <= 0) return false;  // EIO: nobody has the terminal open any more
    written_.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

  pid_t pid_ = 0;
  int screen_ = -1;
  std::string written_;
};

}  // namespace betatune::support
