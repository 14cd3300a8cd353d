#pragma once
/// One process of a command: what it writes, and how it ended.
///
/// Rank 0's log is this process's own output, which its fork server keeps; the log of each other
/// rank is a file that is written here.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "trainers/bounded_log.hpp"
#include "trainers/command/child.hpp"
#include "trainers/command/output.hpp"
#include "trainers/worker_link.hpp"

namespace betatune {

/// Where the rank may append its reports. Only those of rank 0 are heard.
std::filesystem::path metrics_file(const Assign& assign, int rank);

class CommandRank {
 public:
  using TakeLine = std::function<void(const std::string& line)>;

  CommandRank(const Assign& assign, int rank);

  /// Errors: as of start_child().
  Status start(ChildSpec spec);
  /// To its process group, while it runs.
  void signal(int signal) const;
  /// `status` as of waitpid.
  void has_ended(int status);

  /// Each reads a bounded amount, and is true where there may be more.
  bool read_output(const TakeLine& take);
  bool read_metrics_file(const TakeLine& take);
  /// Some more, for when it has ended; others may still write in its place.
  void read_what_is_there(const TakeLine& take);
  /// Everything that is left, for when all its processes are gone.
  void read_last_lines(const TakeLine& take);

  int rank() const { return rank_; }
  pid_t pid() const { return child_.pid; }
  int output() const { return child_.output.get(); }
  bool is_running() const { return running_; }
  int status() const { return status_; }
  bool has_succeeded() const;
  /// The end of its log; of rank 0 that is not here.
  std::string last_output() const { return log_ ? log_->tail() : ""; }
  /// Whether a signal has stopped it for so long that the others wait in vain.
  bool is_kept_stopped(std::int64_t now_ms);

 private:
  void log(std::string_view bytes);

  int rank_;
  std::filesystem::path metrics_file_;
  std::optional<BoundedLog> log_;
  Child child_;
  bool running_ = false;
  int status_ = 0;
  LineReader output_lines_, file_lines_;
  std::uintmax_t file_offset_ = 0;
  std::int64_t stopped_since_ms_ = 0;  ///< 0: not seen stopped by a signal
};

}  // namespace betatune
