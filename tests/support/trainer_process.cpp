#include "support/trainer_process.hpp"

#include <cstdlib>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace betatune::test {

namespace fs = std::filesystem;

TrainerProcess::TrainerProcess(const std::string& program, const std::string& endpoint,
                               std::vector<std::string> arguments,
                               std::vector<std::string> environment) {
  std::vector<std::string> argv{program, "--connect", endpoint};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& each : argv) pointers.push_back(each.data());
  pointers.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    // A test that is killed leaves no trainer behind.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (std::string& each : environment) ::putenv(each.data());
    ::execv(program.c_str(), pointers.data());
    ::_exit(127);
  }
}

TrainerProcess::~TrainerProcess() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void TrainerProcess::signal(int signal) const {
  ::kill(pid_, signal);
}

bool TrainerProcess::running() {
  if (!reaped_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) reaped_ = true;
  return !reaped_;
}

int TrainerProcess::wait() {
  if (!reaped_) ::waitpid(pid_, &status_, 0);
  reaped_ = true;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

Assign make_assign(std::uint64_t trial, const std::string& plugin, const fs::path& study) {
  Assign assign;
  assign.trial = TrialId{trial};
  assign.attempt = AttemptId{1};
  assign.epoch = 1;
  assign.params = {{"x", 1.5}, {"y", 2.5}};
  assign.seed = 7;
  assign.job.plugin = plugin;
  assign.job.study_dir = study;
  assign.job.directory = study;
  assign.job.objective = "loss";
  return assign;
}

std::vector<pid_t> processes_with(const std::string& mark) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const long pid = std::strtol(entry.path().filename().c_str(), nullptr, 10);
    if (pid <= 0) continue;
    std::stringstream text;
    for (const char* name : {"cmdline", "environ"}) {
      std::ifstream file(entry.path() / name, std::ios::binary);
      if (file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
    }
    if (text.str().find(mark) != std::string::npos) found.push_back(static_cast<pid_t>(pid));
  }
  return found;
}

}  // namespace betatune::test
