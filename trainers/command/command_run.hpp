#pragma once
/// An attempt whose trainer is any executable: starts it, turns its output into reports, tells it
/// to end by SIGTERM, and says how it ended. docs/command-trainer.md is the user's side of it.

#include <filesystem>
#include <string>
#include <vector>

#include "trainers/checkpoint.hpp"
#include "trainers/command/child.hpp"
#include "trainers/command/output.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

class CommandRun {
 public:
  CommandRun(const WorkerJob& job, WorkerLink& link);

  /// Sends everything, the end included. Where the command failed, this process ends just as the
  /// command did (same exit status or signal), so that the agent judges both kinds of worker alike.
  void run();

 private:
  Status prepare();
  ChildSpec child_spec() const;
  void supervise();
  void wait_for_something(int signals);
  void read_signals(int signals);
  // True where there may be more to read: each reads a bounded amount.
  bool read_output();
  bool read_metrics_file();
  void take_line(const std::string& line);
  void take_report(const OutputLine& line);
  void end_child_if_told();
  void signal_child(int signal);
  void last_lines();
  void finish();
  Status publish(Step step);
  void end_like_child();

  const WorkerJob& job_;
  const Assign& assign_;
  WorkerLink& link_;
  CheckpointFolder checkpoints_;
  std::filesystem::path scratch_, checkpoint_dir_, resume_dir_;

  Child child_;
  bool child_running_ = false;
  int child_status_ = 0;
  LineReader stdout_lines_, file_lines_;
  std::uintmax_t file_offset_ = 0;
  bool file_has_more_ = false;

  Action told_ = Action::go_on;        ///< the decision that the child was told of
  bool terminated_ = false;            ///< this process itself was asked to end
  std::int64_t kill_at_ms_ = 0;        ///< 0: not told to end
  OutputLine failure_;                 ///< the first `failure` or `bad` line
  std::optional<Metrics> unnumbered_;  ///< last report without a step
  Step last_step_ = 0;
  bool objective_seen_ = false;
  bool anything_seen_ = false;
  bool diverged_ = false;
};

}  // namespace betatune
