#include "trainers/plugin_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "trainers/attempt_folder.hpp"
#include "trainers/failures.hpp"
#include "trainers/metrics.hpp"
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

}  // namespace

PluginRun::PluginRun(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin)
    : job_(job),
      link_(link),
      plugin_(plugin),
      checkpoints_(job.assign.job.study_dir, job.assign.trial, job.assign.attempt),
      params_json_(json_text(to_json(job.assign.params))),
      config_json_(json_text(job.assign.job.config)),
      scratch_(scratch_folder(job.assign)) {
  host_ = {sizeof host_, this, &report, &log, &extension};
}

PluginRun::~PluginRun() {
  if (trainer_ != nullptr) trainer_->destroy(trainer_->self);
}

int32_t PluginRun::report(void* self, int64_t step, const char* metrics_json) {
  return static_cast<PluginRun*>(self)->take_report(step, metrics_json);
}

void PluginRun::log(void*, int32_t level, const char* text) {
  static constexpr const char* kLevels[] = {"debug", "info", "warning", "error"};
  std::fprintf(stderr, "[%s] %s\n", kLevels[std::clamp(level, 0, 3)], text != nullptr ? text : "");
}

const void* PluginRun::extension(void*, const char*) {
  return nullptr;
}

int32_t PluginRun::verdict() {
  if (diverged_ || !report_error_.empty()) return BETATUNE_STOP;
  switch (link_.decision()) {
    case Action::stop:
      return BETATUNE_STOP;
    case Action::pause:
      return BETATUNE_PAUSE;
    case Action::go_on:
      break;
  }
  return BETATUNE_CONTINUE;
}

int32_t PluginRun::take_report(Step step, const char* metrics_json) {
  if (!report_error_.empty()) return BETATUNE_STOP;
  auto metrics = parse_metrics(metrics_json != nullptr ? metrics_json : "");
  if (!metrics || step < 1) {
    report_error_ = "report() of step " + std::to_string(step) + ": " +
                    (metrics ? "steps are 1, 2, 3 ..." : metrics.error().message);
    return BETATUNE_STOP;
  }
  if (metrics_seen_.empty()) {
    for (const auto& [name, number] : metrics.value()) {
      metrics_seen_ += (metrics_seen_.empty() ? "" : ", ") + name;
    }
  }
  const auto objective = metrics.value().find(job_.assign.job.objective);
  if (objective != metrics.value().end()) {
    objective_seen_ = true;
    diverged_ = diverged_ || !std::isfinite(objective->second);
  }
  reported_step_ = std::max(reported_step_, step);
  link_.send(WorkerReport{step, std::move(metrics).value(), std::nullopt});
  const int32_t said = verdict();
  told_to_end_ = told_to_end_ || said != BETATUNE_CONTINUE;
  return said;
}

Error PluginRun::plugin_error(const char* during, int32_t code) {
  const char* words = trainer_ != nullptr ? trainer_->last_error(trainer_->self) : nullptr;
  std::string message = std::string(plugin_.name) + ": " + during + " failed";
  if (words != nullptr && *words != '\0') message += std::string(": ") + words;
  failure_ = refine(class_of(code), message);
  // A trainer that could not write seldom says why.
  if (failure_ == FailureClass::user && disk_is_full(job_.assign.job.study_dir)) {
    failure_ = FailureClass::infra;
    message += " (the disk of " + job_.assign.job.study_dir + " is full)";
  }
  return Error{ErrorKind::unavailable, message};
}

Status PluginRun::prepare() {
  trainer_ = plugin_.create(&host_);
  if (const std::string missing = missing_functions(trainer_); !missing.empty()) {
    trainer_ = nullptr;
    return Error{ErrorKind::invalid_argument, std::string(plugin_.name) + ": " + missing};
  }
  betatune_job job{};
  job.size = sizeof job;
  job.params_json = params_json_.c_str();
  job.config_json = config_json_.c_str();
  job.seed = job_.assign.seed;
  job.world_size = 1;
  job.cpus = job_.assign.job.cpus;
  job.gpus = job_.assign.job.gpus;
  job.rendezvous = "";
  job.scratch_dir = scratch_.c_str();
  if (const int32_t code = trainer_->setup(trainer_->self, &job))
    return plugin_error("setup", code);
  if (!job_.assign.resume_from) return Ok{};
  if (trainer_->load == nullptr) {
    return Error{ErrorKind::invalid_argument,
                 std::string(plugin_.name) +
                     " cannot load a checkpoint; set `resumable: false` under `fidelity`"};
  }
  auto folder = checkpoint_path(job_.assign.job.study_dir, *job_.assign.resume_from);
  if (!folder) {
    failure_ = class_of_unreadable(folder.error());
    return folder.error();
  }
  const std::string from = folder.value();
  if (const int32_t code = trainer_->load(trainer_->self, from.c_str())) {
    return plugin_error("load", code);
  }
  return Ok{};
}

bool PluginRun::slices() const {
  return job_.assign.job.checkpoint_every_ms > 0 && job_.assign.job.resumable &&
         trainer_->save != nullptr && trainer_->load != nullptr;
}

Step PluginRun::next_stop(Step done, std::chrono::milliseconds for_steps) const {
  const Step until = job_.assign.until;
  if (!slices()) return until;
  const Step trained = done - job_.assign.from;
  if (trained == 0) return std::min(done + 1, until);
  // As many steps as fit before the next checkpoint is due, judged by the steps so far.
  const double each_ms = static_cast<double>(for_steps.count()) / static_cast<double>(trained);
  const auto due = saved_at_ + std::chrono::milliseconds(job_.assign.job.checkpoint_every_ms);
  const double left_ms = static_cast<double>((due - monotonic_ms()).count());
  const double fit = std::max(1.0, left_ms / std::max(each_ms, 0.01));
  const Step remaining = until - done;
  return fit >= static_cast<double>(remaining) ? until : done + static_cast<Step>(fit);
}

Status PluginRun::save(Step step) {
  if (trainer_->save == nullptr || step == saved_step_) return Ok{};
  failure_ = FailureClass::infra;
  BETATUNE_TRY(const std::filesystem::path folder, checkpoints_.begin());
  if (const int32_t code = trainer_->save(trainer_->self, folder.c_str())) {
    Error error = plugin_error("save", code);
    checkpoints_.abandon();
    return error;
  }
  auto artifact = checkpoints_.publish(step);
  if (!artifact) {
    checkpoints_.abandon();
    return artifact.error();
  }
  failure_ = FailureClass::user;
  saved_step_ = step;
  saved_at_ = monotonic_ms();
  link_.send(WorkerReport{step, {}, std::move(artifact).value()});
  return Ok{};
}

WorkerEnd PluginRun::end_of(const Error& error) {
  return failed_end(reported_step_, failure_, error.message);
}

WorkerEnd PluginRun::judge(AttemptEnd end, Step step) {
  if (!report_error_.empty()) return failed_end(step, FailureClass::user, report_error_);
  const std::string& objective = job_.assign.job.objective;
  if (diverged_) {
    return failed_end(step, FailureClass::diverged,
                      "metric `" + objective + "` is not finite at step " + std::to_string(step));
  }
  if (end == AttemptEnd::reached && !objective.empty() && !objective_seen_) {
    return failed_end(
        step, FailureClass::user,
        std::string(plugin_.name) + " never reported the objective `" + objective + "`" +
            (metrics_seen_.empty() ? "; it reported nothing" : "; it reported: " + metrics_seen_));
  }
  return {end, step, std::nullopt, ""};
}

WorkerEnd PluginRun::end_early(int32_t said, Step step) {
  WorkerEnd judged = judge(said == BETATUNE_PAUSE ? AttemptEnd::paused : AttemptEnd::stopped, step);
  if (judged.end != AttemptEnd::paused || step == job_.assign.from) return judged;
  const Status saved = save(step);
  return saved ? judged : end_of(saved.error());
}

WorkerEnd PluginRun::train() {
  Step done = job_.assign.from;
  const auto began = monotonic_ms();
  saved_at_ = began;
  const auto every = std::chrono::milliseconds(job_.assign.job.checkpoint_every_ms);
  while (done < job_.assign.until) {
    const Step stop_at = next_stop(done, monotonic_ms() - began);
    if (const int32_t code = trainer_->train(trainer_->self, stop_at)) {
      return end_of(plugin_error("train", code));
    }
    // A trainer that was told to end stands at its last report, else at the slice's end.
    done = told_to_end_ ? std::max(reported_step_, job_.assign.from) : stop_at;
    if (const int32_t said = verdict(); said != BETATUNE_CONTINUE && done < job_.assign.until) {
      return end_early(said, done);
    }
    if (done < job_.assign.until && slices() && monotonic_ms() - saved_at_ >= every) {
      if (const Status saved = save(done); !saved) return end_of(saved.error());
    }
  }
  WorkerEnd judged = judge(AttemptEnd::reached, done);
  if (judged.end != AttemptEnd::reached) return judged;
  const Status saved = save(done);
  return saved ? judged : end_of(saved.error());
}

WorkerEnd PluginRun::run() {
  if (const Status prepared = prepare(); !prepared) return end_of(prepared.error());
  return train();
}

}  // namespace betatune
