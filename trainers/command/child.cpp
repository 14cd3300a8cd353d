#include "trainers/command/child.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "trainers/exec_texts.hpp"
#include "trainers/processes.hpp"

namespace betatune {
namespace {

[[noreturn]] void run_child(const ChildSpec& spec, pid_t parent, int output, int complaint) {
  ::setpgid(0, 0);
  die_with_parent(parent, SIGKILL);
  reset_signals();
  // A batch system's, meant for the trainer: the command is to finish.
  ::signal(SIGUSR1, SIG_IGN);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  if (spec.errors_to_output) ::dup2(output, STDERR_FILENO);
  const std::vector<char*> argv = exec_texts(spec.argv);
  const std::vector<char*> environment = exec_texts(spec.environment);
  ::execvpe(argv[0], argv.data(), environment.data());
  const int error = errno;
  // The pipe closes by itself where exec succeeds; four bytes in it mean that it did not.
  if (::write(complaint, &error, sizeof error) < 0) ::_exit(126);
  ::_exit(127);
}

Error cannot_run(const std::string& program, int code) {
  std::string text = "cannot run `" + program + "`: " + std::strerror(code);
  if (code == EACCES) text += "; make it executable with chmod +x";
  if (code == ENOEXEC)
    text += "; does its first line name an interpreter (#!/usr/bin/env python3)?";
  if (code == ENOENT && program.find('/') == std::string::npos) text += " in PATH";
  return Error{ErrorKind::invalid_argument, text};
}

}  // namespace

Result<Child> start_child(const ChildSpec& spec) {
  if (spec.argv.empty() || spec.argv[0].empty()) {
    return Error{ErrorKind::invalid_argument,
                 "there is none: the study names neither a plug-in nor a command"};
  }
  BETATUNE_TRY(auto output, pipe_pair());
  BETATUNE_TRY(auto complaint, pipe_pair());
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("fork");
  if (pid == 0) run_child(spec, self, output.second.get(), complaint.second.get());
  ::setpgid(pid, pid);  // also here: whoever runs first, the group exists when this returns
  output.second.reset();
  complaint.second.reset();
  int code = 0;
  ssize_t got = 0;
  do {
    got = ::read(complaint.first.get(), &code, sizeof code);
  } while (got < 0 && errno == EINTR);
  if (got == sizeof code) return cannot_run(spec.argv[0], code);
  BETATUNE_CHECK(set_nonblocking(output.first.get()));
  return Child{pid, std::move(output.first)};
}

}  // namespace betatune
