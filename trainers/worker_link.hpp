#pragma once
/// What the agent and a worker process say to each other: one JSON object per packet.
///
///   worker -> agent   {"report": {"step": 3, "metrics": {...}, "checkpoint": {...}}}
///                     {"done": {"end": "reached", "step": 9, "failure": "user", "message": "..."}}
///   agent -> worker   {"action": "stop"}

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainers/posix.hpp"
#include "transport/message.hpp"

namespace betatune {

/// Everything a worker process is given.
struct WorkerJob {
  Assign assign;
  std::map<std::string, std::string> environment;  ///< added to the inherited one
  std::int64_t grace_ms = 10'000;                  ///< between SIGTERM and SIGKILL of a command
  int rank = 0;
  /// Descriptors: of rank 0 to rank 1, 2, ...; of another rank to rank 0. Empty: one rank.
  std::vector<int> gang_links;
  int groups_line = -1;  ///< of rank 0 of several: descriptor to the fork server, see GangLeader
  static constexpr auto fields() {
    return std::tuple{Field{"assign", &WorkerJob::assign, "the assignment"},
                      defaulted("environment", &WorkerJob::environment, "variables to set"),
                      defaulted("grace_ms", &WorkerJob::grace_ms, "from SIGTERM to SIGKILL"),
                      defaulted("rank", &WorkerJob::rank, "which of the attempt's processes"),
                      defaulted("gang_links", &WorkerJob::gang_links, "descriptors"),
                      defaulted("groups_line", &WorkerJob::groups_line, "descriptor")};
  }
};

/// How a worker's attempt ended, in its own words. `end` is reached, stopped, paused or failed.
struct WorkerEnd {
  AttemptEnd end = AttemptEnd::reached;
  Step step = 0;
  std::optional<FailureClass> failure;
  std::string message;
  int rank = 0;  ///< of a command: whose failure it is; of another than 0 with its last output
  static constexpr auto fields() {
    return std::tuple{Field{"end", &WorkerEnd::end, "how"},
                      Field{"step", &WorkerEnd::step, "where"},
                      Field{"failure", &WorkerEnd::failure, "class"},
                      defaulted("message", &WorkerEnd::message, "for people"),
                      defaulted("rank", &WorkerEnd::rank, "whose")};
  }
};
WorkerEnd failed_end(Step step, FailureClass failure, const std::string& message);

struct WorkerReport {
  Step step = 0;
  Metrics metrics;
  std::optional<ArtifactRef> checkpoint;
};

using WorkerMessage = std::variant<WorkerReport, WorkerEnd>;
std::string encode_worker_message(const WorkerMessage& message);
Result<WorkerMessage> decode_worker_message(const std::string& packet);

std::string encode_action(Action action);

/// The worker's end of the line. Blocks while the agent does not read: a report is never dropped.
class WorkerLink {
 public:
  explicit WorkerLink(int fd) : fd_(fd) {}

  /// Ends the process if the agent is gone: nobody would ever hear of its work.
  void send(const WorkerMessage& message);
  /// What was decided so far; once stop or pause, it stays so.
  Action decision();
  int fd() const { return fd_; }

 private:
  [[noreturn]] void lost() const;

  int fd_;
  Action decision_ = Action::go_on;
};

}  // namespace betatune
