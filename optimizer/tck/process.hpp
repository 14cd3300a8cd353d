#pragma once
/// The implementation under test: a process of its own in a group of its own, ended with all that
/// it started.

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune::tck {

/// The words of a command, with every placeholder replaced.
std::vector<std::string> with_values(std::vector<std::string> argv,
                                     const std::map<std::string, std::string>& values);

class Process {
 public:
  Process() = default;
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  /// In `folder`, its output appended to `log`. Errors: unavailable.
  static Result<Process> start(const std::vector<std::string>& argv,
                               const std::filesystem::path& folder,
                               const std::filesystem::path& log);

  bool running();
  void signal(int number) const;
  /// SIGKILL to all of the group; then it is gone.
  void kill();
  /// Its exit status, 128 + signal; nothing if it is still there after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = 0;  ///< 0: none, or reaped
  std::optional<int> status_;
};

}  // namespace betatune::tck
