#pragma once
/// One process of an attempt as its fork server sees it, and the attempt's processes together: the
/// ranks of one process group, of which the first is rank 0. What ends one of them ends them all,
/// or, where the trainer has said which ranks form groups (rank_groups.h), the ranks of its group.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

#include "trainers/bounded_log.hpp"
#include "trainers/posix.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

/// Exit statuses of a rank that fails: it has told the agent why the attempt has failed, or it is
/// the machine's fault and the end of its group alone.
inline constexpr int kExitRankFailed = 70;
inline constexpr int kExitRankLost = 74;

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
  UniqueFd groups_line;        ///< from rank 0, where there are several
  std::vector<int> group_of;   ///< of each rank; empty: all end together
  std::set<int> ended_groups;

  bool is_gang() const { return ranks.size() > 1; }
  bool alive() const;
  /// SIGKILL, or another signal, to all of them and what they have started.
  void signal_all(int signal) const;
  /// The rank whose process is `pid`.
  std::optional<std::size_t> rank_of(pid_t pid) const;
  /// A rank that a signal has stopped for long keeps the others waiting for ever: ends those that
  /// end with it.
  void end_if_stopped(std::int64_t now_ms);

  /// Which groups there are and which shall end, as rank 0 says.
  void hear_of_groups();
  /// Ends those which rank 0 does not wait for any more.
  void end_asked_groups();
  /// Whether the end of the rank is that of its group and not of the attempt.
  bool ends_alone(std::size_t rank) const;
  /// SIGKILL to the ranks of a group.
  void kill_group(int group) const;
  /// Says once, in the log of rank 0, that a group has ended and why.
  void note_group_end(int group, const std::string& why);

 private:
  void end_group(int group, const std::string& why);

  std::vector<std::pair<int, std::string>> asked_;  ///< groups to be ended, and why
};

struct GangSockets {
  std::vector<std::pair<UniqueFd, UniqueFd>> links;  ///< {rank 0's end, rank k's}, k = 1 ...
  std::pair<UniqueFd, UniqueFd> groups_line;         ///< {the fork server's end, rank 0's}
};
/// Errors: unavailable.
Result<GangSockets> gang_sockets(int ranks);

/// The job as rank `rank` gets it; every descriptor of `sockets` that is not its own is closed.
/// To be called in that rank's process.
WorkerJob job_of_rank(const WorkerJob& job, int rank, GangSockets& sockets);

}  // namespace betatune
