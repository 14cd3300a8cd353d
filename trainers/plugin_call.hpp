#pragma once
/// One trainer of a plug-in in one rank's process, called through plugin.h: keeps the strings of
/// its job alive, and turns what it returns into errors with a class.

#include <string>

#include "trainers/failures.hpp"
#include "trainers/plugin.h"
#include "trainers/worker_link.hpp"

namespace betatune {

class PluginCall {
 public:
  PluginCall(const WorkerJob& job, const betatune_plugin& plugin);
  ~PluginCall();
  PluginCall(const PluginCall&) = delete;
  PluginCall& operator=(const PluginCall&) = delete;

  /// Makes the trainer and sets it up. `host` outlives this object.
  /// Errors of all: what the plug-in said; the class is failure().
  Status setup(const betatune_host& host);
  /// The folder of a checkpoint, checked first.
  Result<std::string> loadable(const ArtifactRef& artifact);
  Status load(const std::string& folder);
  Status train(Step until);
  Status save(const std::string& folder);

  bool can_save() const { return trainer_ != nullptr && trainer_->save != nullptr; }
  bool can_load() const { return trainer_ != nullptr && trainer_->load != nullptr; }
  const char* name() const { return plugin_.name; }
  FailureClass failure() const { return failure_; }

 private:
  betatune_job job_view() const;
  Status checked(const char* during, int32_t code);

  const WorkerJob& job_;
  const betatune_plugin& plugin_;
  const betatune_trainer* trainer_ = nullptr;
  std::string params_json_, config_json_, scratch_, rendezvous_;
  FailureClass failure_ = FailureClass::user;
};

/// log() of a host: to stderr, which is the attempt's log.
void log_to_stderr(void* self, int32_t level, const char* text);

}  // namespace betatune
