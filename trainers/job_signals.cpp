#include "trainers/job_signals.hpp"

#include <csignal>
#include <unistd.h>

namespace betatune {
namespace {

constexpr int kEnding[] = {SIGTERM, SIGINT, SIGHUP};

volatile pid_t heeded = 0;

void end_if_heeded(int signal, siginfo_t* info, void*) {
  const bool by_a_process = info->si_code <= 0;
  if (by_a_process && info->si_pid != heeded && info->si_pid != ::getpid()) return;
  // Delivered when this handler returns, with the status of one that has no handler.
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

void heed_only(pid_t parent) {
  heeded = parent;
  struct sigaction action {};
  action.sa_sigaction = end_if_heeded;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : kEnding) ::sigaction(signal, &action, nullptr);
  ::signal(SIGUSR1, SIG_IGN);
}

void ignore_job_signals() {
  for (const int signal : kEnding) ::signal(signal, SIG_IGN);
  ::signal(SIGUSR1, SIG_IGN);
}

}  // namespace betatune
