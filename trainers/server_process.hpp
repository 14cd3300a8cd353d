#pragma once
/// Starts a fork server: a fresh program, in a process group of its own, with one end of a socket.

#include <string>
#include <sys/types.h>

#include "trainers/posix.hpp"

namespace betatune {

struct ServerProcess {
  pid_t pid = 0;
  UniqueFd control;
};

/// `cpus`: threads of each of its workers; numeric libraries read it while they are being loaded.
Result<ServerProcess> start_server_process(const std::string& plugin_path, int cpus);

}  // namespace betatune
