#include "trainers/plugin_call.hpp"

#include <algorithm>
#include <cstdio>

#include "trainers/attempt_folder.hpp"
#include "trainers/checkpoint.hpp"
#include "trainers/plugin_host.hpp"

namespace betatune {
namespace {

FailureClass class_of(int32_t code) {
  switch (code) {
    case BETATUNE_OOM:
      return FailureClass::oom;
    case BETATUNE_DIVERGED:
      return FailureClass::diverged;
    case BETATUNE_INFRA:
      return FailureClass::infra;
    case BETATUNE_CHECKPOINT:
      return FailureClass::checkpoint;
    default:
      return FailureClass::user;
  }
}

/// The ranks meet through a file of the attempt's own, which a killed attempt leaves to nobody.
std::string rendezvous_of(const WorkerJob& job) {
  if (job.assign.job.ranks < 2) return "";
  return "file://" + (scratch_folder(job.assign) / "rendezvous").string();
}

}  // namespace

PluginCall::PluginCall(const WorkerJob& job, const betatune_plugin& plugin)
    : job_(job),
      plugin_(plugin),
      params_json_(json_text(to_json(job.assign.params))),
      config_json_(json_text(job.assign.job.config)),
      scratch_(scratch_folder(job.assign)),
      rendezvous_(rendezvous_of(job)) {}

PluginCall::~PluginCall() {
  if (trainer_ != nullptr) trainer_->destroy(trainer_->self);
}

betatune_job PluginCall::job_view() const {
  const TrainerJob& job = job_.assign.job;
  betatune_job view{};
  view.size = sizeof view;
  view.params_json = params_json_.c_str();
  view.config_json = config_json_.c_str();
  view.seed = job_.assign.seed;
  view.rank = view.local_rank = job_.rank;
  view.world_size = job.ranks;
  view.cpus = std::max(1, job.cpus / job.ranks);
  view.gpus = job.gpus / job.ranks;
  view.rendezvous = rendezvous_.c_str();
  view.scratch_dir = scratch_.c_str();
  view.rank_timeout_ms = job.rank_timeout_ms;
  return view;
}

Status PluginCall::checked(const char* during, int32_t code) {
  if (code == BETATUNE_OK) return Ok{};
  const char* words = trainer_->last_error(trainer_->self);
  std::string message = std::string(plugin_.name) + ": " + during + " failed";
  if (words != nullptr && *words != '\0') message += std::string(": ") + words;
  failure_ = refine(class_of(code), message);
  // A trainer that could not write seldom says why.
  const std::string& folder = job_.assign.job.study_dir;
  if (failure_ == FailureClass::user && disk_is_full(folder)) {
    failure_ = FailureClass::infra;
    message += " (the disk of " + folder + " is full)";
  }
  return Error{ErrorKind::unavailable, message};
}

Status PluginCall::setup(const betatune_host& host) {
  trainer_ = plugin_.create(&host);
  if (const std::string missing = missing_functions(trainer_); !missing.empty()) {
    trainer_ = nullptr;
    return Error{ErrorKind::invalid_argument, std::string(plugin_.name) + ": " + missing};
  }
  const betatune_job job = job_view();
  return checked("setup", trainer_->setup(trainer_->self, &job));
}

Result<std::string> PluginCall::loadable(const ArtifactRef& artifact) {
  if (!can_load()) {
    return Error{ErrorKind::invalid_argument,
                 std::string(plugin_.name) +
                     " cannot load a checkpoint; set `resumable: false` under `fidelity`"};
  }
  auto folder = checkpoint_path(job_.assign.job.study_dir, artifact);
  if (!folder) {
    failure_ = class_of_unreadable(folder.error());
    return folder.error();
  }
  return folder.value().string();
}

Status PluginCall::load(const std::string& folder) {
  return checked("load", trainer_->load(trainer_->self, folder.c_str()));
}

Status PluginCall::train(Step until) {
  return checked("train", trainer_->train(trainer_->self, until));
}

Status PluginCall::save(const std::string& folder) {
  return checked("save", trainer_->save(trainer_->self, folder.c_str()));
}

void log_to_stderr(void*, int32_t level, const char* text) {
  static constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
  std::fprintf(stderr, "[%s] %s\n", kLevels[std::clamp(level, 0, 3)], text != nullptr ? text : "");
}

}  // namespace betatune
