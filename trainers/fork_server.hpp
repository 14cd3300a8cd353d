#pragma once
/// A process that has loaded one plug-in and forks a worker per attempt, or one per rank of it. Of
/// a command it forks one per attempt, which starts the command's processes
/// (command/command_run.hpp).
///
/// Loading libtorch takes half a second; a fork of a process that has done so takes milliseconds.
/// The server is a program of its own (exec), single-threaded, and knows nothing of the optimizer.
/// A plug-in that crashes while loading ends the server, which the agent survives.
///
/// Packets, each a JSON object:
///   agent -> server   {"spawn": KEY, "job": {...}} with the worker's end of its link as descriptor
///                     {"kill": KEY, "grace_ms": 2000}     SIGTERM to the group, then SIGKILL
///   server -> agent   {"loaded": "name version"} | {"failed": "why"}       once, first
///                     {"exited": KEY, "status": N, "oom": false, "output": "...", "rank": 0,
///                      "note": ""}     of the rank that ended first, once all have ended
/// End of file from the agent: every worker is killed and the server ends.

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "trainers/plugin.h"
#include "trainers/posix.hpp"
#include "trainers/rank_process.hpp"

namespace betatune {

class ForkServer {
 public:
  /// `plugin_path` empty: workers run commands.
  ForkServer(UniqueFd control, std::string plugin_path);

  /// Until the agent goes away; the process's exit status.
  int run();

 private:
  using Workers = std::map<std::uint64_t, AttemptProcesses>;

  bool load();
  void say(const Json& json);
  void wait_for_something();
  int poll_timeout_ms() const;
  /// False at end of file.
  bool read_control();
  void spawn(std::uint64_t key, const Json& job, UniqueFd link);
  Status start_rank(AttemptProcesses& worker, const WorkerJob& job, GangSockets& sockets,
                    UniqueFd& link);
  [[noreturn]] void become_worker(const WorkerJob& job, pid_t group, UniqueFd link,
                                  UniqueFd output);
  [[noreturn]] void exec_worker(const WorkerJob& job, UniqueFd link) const;
  void ask_to_end(std::uint64_t key, std::int64_t grace_ms);
  void end_overdue();
  void end_stopped();
  void reap();
  void rank_ended(Workers::iterator worker, std::size_t rank, int status, bool alone);
  void exited(Workers::iterator worker);
  std::uint64_t recent_oom_kills();
  void clean_up(const Assign& assign);
  void sweep_soon();
  void sweep();
  void end_everything();

  UniqueFd control_;
  UniqueFd signals_;
  std::string plugin_path_;
  pid_t self_;
  const betatune_plugin* plugin_ = nullptr;
  bool forkable_ = true;  ///< false: the plug-in has started threads, which a fork does not copy
  Workers workers_;
  std::set<pid_t> helpers_;
  std::int64_t sweep_at_ms_ = 0;    ///< 0: nothing to sweep for
  std::int64_t stopped_at_ms_ = 0;  ///< when stopped ranks are looked for; 0: no gang is here
  std::int64_t oom_read_at_ms_ = 0;
  std::uint64_t oom_kills_ = 0;
};

/// `betatune-trainer` as a fork server or as a worker, where `argv` says so; nothing else may have
/// run before. Returns the exit status, or -1 if this is neither.
int run_internal_command(int argc, char** argv);

/// argv for a fork server whose control socket is descriptor `control`.
std::vector<std::string> fork_server_argv(int control, const std::string& plugin_path);

}  // namespace betatune
