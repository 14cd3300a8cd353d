#include "trainers/server_process.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

#include "trainers/exec_texts.hpp"
#include "trainers/fork_server.hpp"
#include "trainers/job_signals.hpp"
#include "trainers/processes.hpp"

extern char** environ;

namespace betatune {
namespace {

/// One thread per core that a trial may use, and none that spins: on a shared machine a spinning
/// OpenMP team slows a training down many times over.
std::vector<std::string> server_environment(int cpus) {
  std::vector<std::string> environment;
  const std::string threads = std::to_string(cpus);
  const std::vector<std::pair<std::string, std::string>> ours{{"OMP_NUM_THREADS=", threads},
                                                              {"OPENBLAS_NUM_THREADS=", threads},
                                                              {"MKL_NUM_THREADS=", threads},
                                                              {"OMP_WAIT_POLICY=", "passive"}};
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string text(*each);
    bool replaced = false;
    for (const auto& [name, value] : ours) replaced = replaced || text.rfind(name, 0) == 0;
    if (!replaced) environment.push_back(text);
  }
  for (const auto& [name, value] : ours) environment.push_back(name + value);
  return environment;
}

}  // namespace

Result<ServerProcess> start_server_process(const std::string& plugin_path, int cpus) {
  BETATUNE_TRY(auto control, packet_pair());
  const std::vector<std::string> argv_text = fork_server_argv(control.second.get(), plugin_path);
  const std::vector<std::string> environment_text = server_environment(cpus);
  const std::vector<char*> argv = exec_texts(argv_text);
  const std::vector<char*> environment = exec_texts(environment_text);
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("start the process that loads plug-ins");
  if (pid == 0) {
    // Only async-signal-safe calls: other threads (ZeroMQ's) existed at the fork.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != self) ::_exit(0);
    reset_signals();
    ignore_job_signals();  // it ends with its control socket
    ::fcntl(control.second.get(), F_SETFD, 0);
    ::execve("/proc/self/exe", argv.data(), environment.data());
    ::_exit(127);
  }
  return ServerProcess{pid, std::move(control.first)};
}

}  // namespace betatune
