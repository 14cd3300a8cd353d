#include "optimizer/scheduler_replay.hpp"

namespace betatune {

Status SchedulerReplay::take(const Event& event) {
  BETATUNE_CHECK(apply(state_, event));
  const bool begins = std::holds_alternative<StudyCreated>(event.fact);
  if (begins || std::holds_alternative<DocumentChanged>(event.fact)) return make_anew(event.seq);
  scheduler_->observe(state_, event);
  return Ok{};
}

/// As a process does that starts with another study file: the whole log for the new scheduler.
Status SchedulerReplay::make_anew(Sequence until) {
  BETATUNE_TRY(spec_, spec_of_(state_.document));
  Diagnostics problems;
  scheduler_ = make_scheduler(*spec_, problems);
  if (!scheduler_) {
    return Error{ErrorKind::invalid_argument, problems.problems().front().message};
  }
  StudyState folded;
  return for_each_event(store_, until, [&](const Event& event) -> Status {
    BETATUNE_CHECK(apply(folded, event));
    scheduler_->observe(folded, event);
    return Ok{};
  });
}

}  // namespace betatune
