#pragma once
/// One process of an attempt as its fork server sees it, and the attempt's processes together: the
/// ranks of one process group, of which the first is rank 0. What ends one of them ends them all.

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "trainers/bounded_log.hpp"
#include "trainers/posix.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

struct RankProcess {
  pid_t pid = 0;
  UniqueFd output;  ///< what it writes to stdout and stderr
  BoundedLog log;
  bool alive = true;
  std::int64_t stopped_since_ms = 0;  ///< 0: not seen stopped by a signal

  void read_output(int reads_max);
};

/// Whether a signal has stopped the process for so long that the other ranks wait in vain.
/// `since_ms` is kept from call to call; 0: not seen stopped.
bool is_kept_stopped(pid_t pid, std::int64_t now_ms, std::int64_t& since_ms);
std::string kept_stopped_text(int rank);

struct AttemptProcesses {
  struct Ended {
    std::size_t rank = 0;
    int status = 0;  ///< as of waitpid
  };

  std::vector<RankProcess> ranks;
  Assign assign;
  std::int64_t kill_at_ms = 0;  ///< 0: not asked to end
  std::uint64_t oom_kills_before = 0;
  std::optional<Ended> first;  ///< the rank that ended first, which explains the others' ends
  std::string note;            ///< why the fork server itself ended it

  bool is_gang() const { return ranks.size() > 1; }
  bool alive() const;
  /// SIGKILL, or another signal, to all of them and what they have started.
  void signal_all(int signal) const;
  /// The rank whose process is `pid`.
  std::optional<std::size_t> rank_of(pid_t pid) const;
  /// A rank that a signal has stopped for long keeps the others waiting for ever: ends the gang.
  void end_if_stopped(std::int64_t now_ms);
};

/// {rank 0's end, rank k's end} for k = 1 .. ranks - 1. Errors: unavailable.
using GangSockets = std::vector<std::pair<UniqueFd, UniqueFd>>;
Result<GangSockets> gang_sockets(int ranks);

/// The job as rank `rank` gets it; every descriptor of `sockets` that is not its own is closed.
/// To be called in that rank's process.
WorkerJob job_of_rank(const WorkerJob& job, int rank, GangSockets& sockets);

}  // namespace betatune
