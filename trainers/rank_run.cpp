#include "trainers/rank_run.hpp"

#include <algorithm>

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

const void* RankRun::extension(void*, const char*) {
  return nullptr;
}

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
