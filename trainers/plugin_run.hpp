#pragma once
/// Drives one trainer of a plug-in through its attempt: setup, load, train in slices, save.

#include <chrono>
#include <string>

#include "trainers/checkpoint.hpp"
#include "trainers/plugin.h"
#include "trainers/worker_link.hpp"

namespace betatune {

class PluginRun {
 public:
  PluginRun(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin);
  ~PluginRun();
  PluginRun(const PluginRun&) = delete;
  PluginRun& operator=(const PluginRun&) = delete;

  WorkerEnd run();

 private:
  static int32_t report(void* self, int64_t step, const char* metrics_json);
  static void log(void* self, int32_t level, const char* text);
  static const void* extension(void* self, const char* id);

  int32_t take_report(Step step, const char* metrics_json);
  int32_t verdict();
  Status prepare();
  WorkerEnd train();
  Step next_stop(Step done, std::chrono::milliseconds for_steps) const;
  bool slices() const;
  /// Saves and publishes; a failure is an end of the attempt.
  Status save(Step step);
  Error plugin_error(const char* during, int32_t code);
  WorkerEnd end_of(const Error& error);
  WorkerEnd end_early(int32_t said, Step step);
  WorkerEnd judge(AttemptEnd end, Step step);

  const WorkerJob& job_;
  WorkerLink& link_;
  const betatune_plugin& plugin_;
  betatune_host host_{};
  const betatune_trainer* trainer_ = nullptr;
  CheckpointFolder checkpoints_;

  std::string params_json_, config_json_,
      scratch_;               // the job's strings live as long as the trainer
  std::string report_error_;  ///< a report that could not be read
  bool diverged_ = false;     ///< the objective was reported and is not finite
  bool told_to_end_ = false;  ///< report() answered stop or pause during this train()
  bool objective_seen_ = false;
  std::string metrics_seen_;  ///< of the first report, for messages
  Step reported_step_ = 0;
  Step saved_step_ = 0;
  FailureClass failure_ = FailureClass::user;  ///< class of the last plugin_error
  std::chrono::milliseconds saved_at_{};
};

}  // namespace betatune
