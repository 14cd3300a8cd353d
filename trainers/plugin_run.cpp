#include "trainers/plugin_run.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "trainers/metrics.hpp"
#include "trainers/rank_groups.h"

namespace betatune {
namespace {

using std::chrono::milliseconds;

/// To build models and read data may take ranks on one machine very different times.
constexpr milliseconds kPreparePatience{60'000};

}  // namespace

PluginRun::PluginRun(const WorkerJob& job, WorkerLink& link, const betatune_plugin& plugin)
    : job_(job),
      link_(link),
      plugin_(job, plugin),
      gang_(job.gang_links, job.groups_line),
      checkpoints_(job.assign.job.study_dir, job.assign.trial, job.assign.attempt) {
  host_ = {sizeof host_, this, &report, &log_to_stderr, &extension};
}

int32_t PluginRun::report(void* self, int64_t step, const char* metrics_json) {
  return static_cast<PluginRun*>(self)->take_report(step, metrics_json);
}

const void* PluginRun::extension(void* self, const char* id) {
  static constexpr betatune_rank_groups kGroups{sizeof kGroups, &declare_groups, &end_group};
  const bool groups = id != nullptr && std::strcmp(id, BETATUNE_RANK_GROUPS) == 0;
  return groups && static_cast<PluginRun*>(self)->job_.assign.job.ranks > 1 ? &kGroups : nullptr;
}

int32_t PluginRun::declare_groups(void* self, const int32_t* group_of, int32_t ranks) {
  auto& gang = static_cast<PluginRun*>(self)->gang_;
  const Status declared = gang.declare_groups({group_of, group_of + std::max(ranks, 0)});
  return declared ? BETATUNE_OK : BETATUNE_ERROR;
}

void PluginRun::end_group(void* self, int32_t group, const char* why) {
  static_cast<PluginRun*>(self)->gang_.end_group(group, why != nullptr ? why : "");
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
  note_report(step, metrics_json);
  const int32_t said = verdict();
  gang_.answer(step, said);
  told_to_end_ = told_to_end_ || said != BETATUNE_CONTINUE;
  return said;
}

void PluginRun::note_report(Step step, const char* metrics_json) {
  if (!report_error_.empty()) return;
  auto metrics = parse_metrics(metrics_json != nullptr ? metrics_json : "");
  if (!metrics || step < 1) {
    report_error_ = "report() of step " + std::to_string(step) + ": " +
                    (metrics ? "steps are 1, 2, 3 ..." : metrics.error().message);
    return;
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
}

template <class Mine>
Status PluginRun::together(const GangOrder& order, milliseconds patience, Mine mine) {
  gang_.order(order);
  if (Status done = mine(); !done) {
    failure_ = plugin_.failure();
    return done;
  }
  Status others = gang_.await(patience);
  if (!others) failure_ = FailureClass::infra;
  return others;
}

Status PluginRun::prepare() {
  const milliseconds patience =
      std::max(kPreparePatience, milliseconds(job_.assign.job.rank_timeout_ms));
  BETATUNE_CHECK(
      together({GangOrder::What::setup, "", 0}, patience, [&] { return plugin_.setup(host_); }));
  if (!job_.assign.resume_from) return Ok{};
  auto folder = plugin_.loadable(*job_.assign.resume_from);
  if (!folder) {
    failure_ = plugin_.failure();
    return folder.error();
  }
  const std::string from = folder.value();
  return together({GangOrder::What::load, from, 0}, patience, [&] { return plugin_.load(from); });
}

milliseconds PluginRun::patience() const {
  return milliseconds(job_.assign.job.rank_timeout_ms);
}

bool PluginRun::slices() const {
  return job_.assign.job.checkpoint_every_ms > 0 && job_.assign.job.resumable &&
         plugin_.can_save() && plugin_.can_load();
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
  if (!plugin_.can_save() || step == saved_step_) return Ok{};
  failure_ = FailureClass::infra;
  BETATUNE_TRY(const std::filesystem::path folder, checkpoints_.begin());
  Status saved = together({GangOrder::What::save, folder.string(), 0}, patience(),
                          [&] { return plugin_.save(folder.string()); });
  if (!saved) {
    checkpoints_.abandon();
    return saved;
  }
  auto artifact = checkpoints_.publish(step);
  if (!artifact) {
    checkpoints_.abandon();
    failure_ = FailureClass::infra;
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
        std::string(plugin_.name()) + " never reported the objective `" + objective + "`" +
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
    const Status trained = together({GangOrder::What::train, "", stop_at}, patience(),
                                    [&] { return plugin_.train(stop_at); });
    if (!trained) return end_of(trained.error());
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
