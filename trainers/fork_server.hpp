#pragma once
/// A process that has loaded one plug-in and forks a worker per attempt.
///
/// Loading libtorch takes half a second; a fork of a process that has done so takes milliseconds.
/// The server is a program of its own (exec), single-threaded, and knows nothing of the optimizer.
/// A plug-in that crashes while loading ends the server, which the agent survives.
///
/// Packets, each a JSON object:
///   agent -> server   {"spawn": KEY, "job": {...}} with the worker's end of its link as descriptor
///                     {"kill": KEY, "grace_ms": 2000}     SIGTERM to the group, then SIGKILL
///   server -> agent   {"loaded": "name version"} | {"failed": "why"}       once, first
///                     {"exited": KEY, "status": N, "oom": false, "output": "..."}
/// End of file from the agent: every worker is killed and the server ends.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "trainers/bounded_log.hpp"
#include "trainers/plugin.h"
#include "trainers/posix.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

class ForkServer {
 public:
  /// `plugin_path` empty: workers run commands.
  ForkServer(UniqueFd control, std::string plugin_path);

  /// Until the agent goes away; the process's exit status.
  int run();

 private:
  struct Worker {
    pid_t pid = 0;
    UniqueFd output;
    BoundedLog log;
    Assign assign;
    std::int64_t kill_at_ms = 0;  ///< 0: not asked to end
    std::uint64_t oom_kills_before = 0;
  };

  bool load();
  void say(const Json& json);
  void wait_for_something();
  int poll_timeout_ms() const;
  /// False at end of file.
  bool read_control();
  void spawn(std::uint64_t key, const Json& job, UniqueFd link);
  [[noreturn]] void become_worker(const WorkerJob& job, UniqueFd link, UniqueFd output);
  [[noreturn]] void exec_worker(const WorkerJob& job, UniqueFd link) const;
  void ask_to_end(std::uint64_t key, std::int64_t grace_ms);
  void end_overdue();
  void reap();
  void exited(std::map<std::uint64_t, Worker>::iterator worker, int status);
  std::uint64_t recent_oom_kills();
  static void read_log(Worker& worker, int reads_max);
  void clean_up(const Assign& assign);
  void sweep();
  void end_everything();

  UniqueFd control_;
  UniqueFd signals_;
  std::string plugin_path_;
  pid_t self_;
  const betatune_plugin* plugin_ = nullptr;
  bool forkable_ = true;  ///< false: the plug-in has started threads, which a fork does not copy
  std::map<std::uint64_t, Worker> workers_;
  std::set<pid_t> helpers_;
  std::int64_t sweep_at_ms_ = 0;  ///< 0: nothing to sweep for
  std::int64_t oom_read_at_ms_ = 0;
  std::uint64_t oom_kills_ = 0;
};

/// `betatune-trainer` as a fork server or as a worker, where `argv` says so; nothing else may have
/// run before. Returns the exit status, or -1 if this is neither.
int run_internal_command(int argc, char** argv);

/// argv for a fork server whose control socket is descriptor `control`.
std::vector<std::string> fork_server_argv(int control, const std::string& plugin_path);

}  // namespace betatune
