#pragma once
/// An attempt whose trainer is any executable: starts it, or one process of it per rank, turns its
/// output into reports, tells it to end by SIGTERM, and says how it ended. docs/command-trainer.md
/// is the user's side of it.
///
/// The ranks start together and end together: the first that fails, is stopped, or does not come to
/// its end soon after rank 0 ends them all, and is named. Rank 0 alone is heard of metrics.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "trainers/checkpoint.hpp"
#include "trainers/command/blame.hpp"
#include "trainers/command/child_spec.hpp"
#include "trainers/command/command_rank.hpp"
#include "trainers/command/reserved_port.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

class CommandRun {
 public:
  CommandRun(const WorkerJob& job, WorkerLink& link);

  /// Sends everything, the end included. Where rank 0 failed, this process ends just as it did
  /// (same exit status or signal), so that the agent judges both kinds of worker alike.
  void run();

 private:
  Status prepare();
  Status start_ranks();
  void supervise();
  bool is_any_running() const;
  void wait_for_something(int signals);
  void read_signals(int signals);
  void wait_for_word(int signals);
  void take_end(pid_t pid, int status);
  CommandRank::TakeLine taker(CommandRank& rank);
  void take_line(CommandRank& rank, const std::string& line);
  void take_report(const OutputLine& line);
  OutputLine& failure_line(const CommandRank& rank);
  void signal_all(int signal) const;
  void end_if_told();
  void end_gang_if_broken();
  /// Of the rank to blame, if that is not rank 0.
  std::optional<WorkerEnd> failure_of_blamed();
  /// Of one that a signal has stopped, or that does not come to its end.
  std::optional<WorkerEnd> lost_rank(std::int64_t now_ms);
  /// Nothing where rank 0's own end says it all.
  std::optional<WorkerEnd> judge();
  void finish();
  Status publish(Step step);
  void end_like_rank_0();

  const WorkerJob& job_;
  const Assign& assign_;
  WorkerLink& link_;
  CheckpointFolder checkpoints_;
  CommandPlace place_;
  ReservedPort port_;

  std::vector<CommandRank> ranks_;
  std::vector<OutputLine>
      failures_;  ///< of each rank: its first `failure` line, rank 0's also `bad`
  Blame blame_;
  std::optional<WorkerEnd> broken_;  ///< why one of the ranks ended them all
  std::uint64_t oom_kills_before_ = 0;
  std::int64_t stopped_looked_ms_ = 0;  ///< when stopped ranks were last looked for
  bool file_has_more_ = false;

  Action told_ = Action::go_on;        ///< the decision that the ranks were told of
  bool terminated_ = false;            ///< this process itself was asked to end, by its trainer
  bool terminated_by_others_ = false;  ///< or by somebody else, who asked the command as well
  std::int64_t kill_at_ms_ = 0;        ///< 0: not told to end
  std::int64_t leader_ended_ms_ = 0;   ///< when rank 0 ended well; 0: it has not
  std::optional<Metrics> unnumbered_;  ///< last report without a step
  Step last_step_ = 0;
  bool objective_seen_ = false;
  bool anything_seen_ = false;
  bool diverged_ = false;
};

}  // namespace betatune
