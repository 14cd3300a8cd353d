#pragma once
/// Starts the user's executable in a process group of its own.

#include <string>
#include <sys/types.h>
#include <vector>

#include "trainers/posix.hpp"

namespace betatune {

struct ChildSpec {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< "NAME=value", all of them
  bool errors_to_output = false;         ///< its stderr is its stdout, and not inherited
};

struct Child {
  pid_t pid = 0;    ///< also its process group
  UniqueFd output;  ///< read end of its stdout
};

/// Searches PATH unless argv[0] holds a slash. The child is killed when this process dies.
/// Errors: invalid_argument, with what execvp said.
Result<Child> start_child(const ChildSpec& spec);

}  // namespace betatune
