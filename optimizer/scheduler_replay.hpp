#pragma once
/// A log folded together with the memory of its scheduler, which can then be asked what it would
/// decide at that moment.

#include <memory>

#include "optimizer/replay.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {

class SchedulerReplay {
 public:
  /// `store`: of the log, which is read again where the study file changed. It must outlive this.
  SchedulerReplay(const StudyStore& store, SpecOfDocument spec_of)
      : store_(store), spec_of_(std::move(spec_of)) {}

  /// The next event. Errors: the store's; corrupt; invalid_argument if this version cannot make the
  /// scheduler of the recorded study file.
  Status take(const Event& event);

  const StudyState& state() const { return state_; }
  /// Null before the first event.
  const Scheduler* scheduler() const { return scheduler_.get(); }
  /// Of the document. Precondition: an event was taken.
  const StudySpec& spec() const { return *spec_; }

 private:
  Status make_anew(Sequence until);

  const StudyStore& store_;
  SpecOfDocument spec_of_;
  StudyState state_;
  std::shared_ptr<const StudySpec> spec_;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace betatune
