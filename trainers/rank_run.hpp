#pragma once
/// Rank 1, 2, ... of an attempt: does what rank 0 orders, with a trainer of its own, until rank 0
/// ends. What it says of metrics is not heard; its verdicts are rank 0's.

#include <string>

#include "trainers/gang.hpp"
#include "trainers/plugin_call.hpp"

namespace betatune {

class RankRun {
 public:
  RankRun(const WorkerJob& job, const betatune_plugin& plugin);

  /// Returns only if this rank fails: why, naming the rank. The end of rank 0 ends the process.
  WorkerEnd run();
  /// Whether this rank's death is the end of its group and not of the attempt.
  bool ends_alone() const { return ends_alone_; }

 private:
  static int32_t report(void* self, int64_t step, const char* metrics_json);
  static const void* extension(void* self, const char* id);
  static int32_t declare_groups(void* self, const int32_t* group_of, int32_t ranks);
  static void end_group(void* self, int32_t group, const char* why);

  Status carry_out(const GangOrder& order);
  WorkerEnd end_of(FailureClass failure, const std::string& message) const;

  const WorkerJob& job_;
  betatune_host host_{};
  PluginCall plugin_;
  GangFollower gang_;
  std::string report_error_;
  Step step_ = 0;
  bool ends_alone_ = false;
};

}  // namespace betatune
