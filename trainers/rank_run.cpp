#include "trainers/rank_run.hpp"

#include <algorithm>
#include <cstring>

#include "trainers/rank_groups.h"

namespace betatune {

RankRun::RankRun(const WorkerJob& job, const betatune_plugin& plugin)
    : job_(job), plugin_(job, plugin), gang_(job.gang_links.at(0)), step_(job.assign.from) {
  host_ = {sizeof host_, this, &report, &log_to_stderr, &extension};
}

int32_t RankRun::report(void* self, int64_t step, const char*) {
  auto& run = *static_cast<RankRun*>(self);
  if (!run.report_error_.empty()) return BETATUNE_STOP;
  const Result<int> verdict = run.gang_.verdict(step);
  run.step_ = std::max(run.step_, step);
  if (verdict) return verdict.value();
  run.report_error_ = verdict.error().message;
  return BETATUNE_STOP;
}

const void* RankRun::extension(void*, const char* id) {
  static constexpr betatune_rank_groups kGroups{sizeof kGroups, &declare_groups, &end_group};
  return id != nullptr && std::strcmp(id, BETATUNE_RANK_GROUPS) == 0 ? &kGroups : nullptr;
}

int32_t RankRun::declare_groups(void* self, const int32_t* group_of, int32_t ranks) {
  auto& run = *static_cast<RankRun*>(self);
  if (ranks != run.job_.assign.job.ranks) return BETATUNE_ERROR;
  run.ends_alone_ = group_of[run.job_.rank] != group_of[0];
  return BETATUNE_OK;
}

void RankRun::end_group(void*, int32_t, const char*) {}

Status RankRun::carry_out(const GangOrder& order) {
  switch (order.what) {
    case GangOrder::What::setup:
      return plugin_.setup(host_);
    case GangOrder::What::load:
      return plugin_.load(order.folder);
    case GangOrder::What::train:
      return plugin_.train(order.until);
    case GangOrder::What::save:
      return plugin_.save(order.folder);
  }
  return Ok{};
}

WorkerEnd RankRun::end_of(FailureClass failure, const std::string& message) const {
  return failed_end(step_, failure, "rank " + std::to_string(job_.rank) + ": " + message);
}

WorkerEnd RankRun::run() {
  for (;;) {
    const auto order = gang_.next();
    if (!order) return end_of(FailureClass::user, order.error().message);
    const Status done = carry_out(order.value());
    if (!report_error_.empty()) return end_of(FailureClass::user, report_error_);
    if (!done) return end_of(plugin_.failure(), done.error().message);
    gang_.did(order.value().what);
  }
}

}  // namespace betatune
