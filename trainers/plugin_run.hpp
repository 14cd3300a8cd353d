#pragma once
/// Drives one trainer of a plug-in through its attempt: setup, load, train in slices, save. Where
/// the attempt has several ranks, this is rank 0 and gives the others their orders.

#include <chrono>
#include <string>

#include "trainers/checkpoint.hpp"
#include "trainers/gang.hpp"
#include "trainers/plugin_call.hpp"

namespace betatune {

class PluginRun {
 public:
  PluginRun(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin);

  WorkerEnd run();

 private:
  static int32_t report(void* self, int64_t step, const char* metrics_json);
  static const void* extension(void* self, const char* id);
  static int32_t declare_groups(void* self, const int32_t* group_of, int32_t ranks);
  static void end_group(void* self, int32_t group, const char* why);

  int32_t take_report(Step step, const char* metrics_json);
  void note_report(Step step, const char* metrics_json);
  int32_t verdict();
  /// Has all ranks do one thing, this one by `mine`.
  template <class Mine>
  Status together(const GangOrder& order, std::chrono::milliseconds patience, Mine mine);
  Status prepare();
  WorkerEnd train();
  std::chrono::milliseconds patience() const;
  Step next_stop(Step done, std::chrono::milliseconds for_steps) const;
  bool slices() const;
  /// Saves and publishes; a failure is an end of the attempt.
  Status save(Step step);
  WorkerEnd end_of(const Error& error);
  WorkerEnd end_early(int32_t said, Step step);
  WorkerEnd judge(AttemptEnd end, Step step);

  const WorkerJob& job_;
  WorkerLink& link_;
  betatune_host host_{};
  PluginCall plugin_;
  GangLeader gang_;
  CheckpointFolder checkpoints_;
  std::string report_error_;  ///< a report that could not be read
  bool diverged_ = false;     ///< the objective was reported and is not finite
  bool told_to_end_ = false;  ///< report() answered stop or pause during this train()
  bool objective_seen_ = false;
  std::string metrics_seen_;  ///< of the first report, for messages
  Step reported_step_ = 0;
  Step saved_step_ = 0;
  FailureClass failure_ = FailureClass::user;  ///< class of the last error
  std::chrono::milliseconds saved_at_{};
};

}  // namespace betatune
