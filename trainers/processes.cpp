#include "trainers/processes.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dirent.h>
#include <fstream>
#include <memory>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace betatune {
namespace {

struct Stat {
  pid_t parent = 0;
  char state = '?';
};

/// Parent and state of a process; parent 0 if it is gone. The command's name may hold anything,
/// also spaces and brackets, so the fields are read from the last ')'.
Stat read_stat(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  std::array<char, 512> text{};
  if (!file || std::fread(text.data(), 1, text.size() - 1, file.get()) == 0) return {};
  const char* after = std::strrchr(text.data(), ')');
  Stat stat;
  if (after == nullptr || std::sscanf(after + 1, " %c %d", &stat.state, &stat.parent) != 2)
    return {};
  return stat;
}

template <class F>
void for_each_process(F visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), &::closedir);
  if (!proc) return;
  while (const dirent* entry = ::readdir(proc.get())) {
    const long pid = std::strtol(entry->d_name, nullptr, 10);
    if (pid > 0) visit(static_cast<pid_t>(pid));
  }
}

constexpr std::array<std::pair<int, const char*>, 12> kSignals{{
    {SIGSEGV, "SIGSEGV (invalid memory access, or a stack overflow)"},
    {SIGABRT, "SIGABRT (abort: a failed assertion, or an exception that nothing caught)"},
    {SIGBUS, "SIGBUS (bus error)"},
    {SIGFPE, "SIGFPE (arithmetic error)"},
    {SIGILL, "SIGILL (illegal instruction: built for another processor?)"},
    {SIGKILL, "SIGKILL"},
    {SIGTERM, "SIGTERM"},
    {SIGINT, "SIGINT"},
    {SIGPIPE, "SIGPIPE"},
    {SIGXCPU, "SIGXCPU (CPU time limit)"},
    {SIGXFSZ, "SIGXFSZ (file size limit)"},
    {SIGHUP, "SIGHUP"},
}};

/// The number after `key` in a file of "key number" lines; 0 if there is none.
std::uint64_t counter(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  std::uint64_t number = 0;
  while (file >> name >> number) {
    if (name == key) return number;
  }
  return 0;
}

}  // namespace

std::string signal_text(int signal) {
  for (const auto& [number, text] : kSignals) {
    if (number == signal) return text;
  }
  return "signal " + std::to_string(signal);
}

void become_subreaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void die_with_parent(pid_t parent, int signal) {
  ::prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
  // The parent may have died before the line above took effect.
  if (::getppid() != parent) ::_exit(0);
}

int end_strays(const std::set<pid_t>& known) {
  int ended = 0;
  const pid_t self = ::getpid();
  for_each_process([&](pid_t pid) {
    const Stat stat = read_stat(pid);
    if (stat.parent != self || known.count(pid) != 0) return;
    if (stat.state != 'Z') {
      ::kill(pid, SIGKILL);
      ++ended;
    }
    ::waitpid(pid, nullptr, WNOHANG);
  });
  return ended;
}

void end_all_descendants() {
  // Ending a process hands its children to this one, so each round reaches one level deeper. A
  // process that the kernel cannot end (it waits for a dead file server) is not waited for.
  constexpr int kRounds = 1'000;
  for (int round = 0; round < kRounds && end_strays({}) > 0; ++round) {
    const timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

bool is_stopped(pid_t pid) {
  const char state = read_stat(pid).state;
  return state == 'T' || state == 't';
}

bool has_ended(pid_t pid) {
  const char state = read_stat(pid).state;
  return state == '?' || state == 'Z' || state == 'X';
}

bool is_descendant(pid_t pid, pid_t ancestor) {
  // A chain that changes while it is followed ends at init, or in what is gone.
  constexpr int kDeepest = 1'000;
  for (int i = 0; i < kDeepest && pid > 1; ++i) {
    if (pid == ancestor) return true;
    pid = read_stat(pid).parent;
  }
  return false;
}

int thread_count() {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir("/proc/self/task"), &::closedir);
  if (!tasks) return 1;
  int count = 0;
  while (const dirent* entry = ::readdir(tasks.get())) {
    if (entry->d_name[0] != '.') ++count;
  }
  return count;
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
}

std::uint64_t oom_kill_count() {
  return counter("/proc/vmstat", "oom_kill") + counter("/sys/fs/cgroup/memory.events", "oom_kill") +
         counter("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill");
}

}  // namespace betatune
