#pragma once
/// A real betatune-trainer for a test, gone at its end.

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "transport/message.hpp"

namespace betatune::test {

class TrainerProcess {
 public:
  /// `program`: the build's betatune-trainer. `arguments` follow --connect.
  TrainerProcess(const std::string& program, const std::string& endpoint,
                 std::vector<std::string> arguments = {},
                 std::vector<std::string> environment = {});
  ~TrainerProcess();

  pid_t pid() const { return pid_; }
  void signal(int signal) const;
  bool running();
  /// Waits for its end; -signal if it was ended by one. Precondition: it ends.
  int wait();

 private:
  pid_t pid_ = 0;
  bool reaped_ = false;
  int status_ = 0;
};

/// An assignment of `plugin`, trial `trial`, attempt 1, one step, objective `loss`.
Assign make_assign(std::uint64_t trial, const std::string& plugin,
                   const std::filesystem::path& study);

/// Processes whose environment or arguments hold `mark`.
std::vector<pid_t> processes_with(const std::string& mark);

}  // namespace betatune::test
