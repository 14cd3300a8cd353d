#include "optimizer/pbt/gains.hpp"

namespace betatune {
namespace {

/// What says nothing of a configuration is left out.
bool is_own_fault(const Trial& trial) {
  return trial.last_failure && *trial.last_failure != FailureClass::infra &&
         *trial.last_failure != FailureClass::checkpoint;
}

}  // namespace

void Gains::observe(const StudyState& state, const Event& event) {
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    if (!created->parent) return;
    const Parent& parent = *created->parent;
    if (const auto loss = loss_at(parent.trial, parent.step)) {
      marks_[created->trial] = {parent.step, *loss};
    }
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end == AttemptEnd::reached) reach(state.trials[ended->trial]);
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    if (closed->outcome == Outcome::failed) fail(state.trials[closed->trial]);
  }
}

void Gains::reach(const Trial& trial) {
  if (!trial.loss) return;
  const auto mark = marks_.find(trial.id);
  if (mark != marks_.end() && mark->second.step < trial.until) {
    made_.push_back({trial.id, mark->second.step, trial.until, mark->second.loss, *trial.loss});
  }
  marks_[trial.id] = {trial.until, *trial.loss};
  reached_[trial.id][trial.until] = *trial.loss;
}

void Gains::fail(const Trial& trial) {
  const auto mark = marks_.find(trial.id);
  if (mark == marks_.end() || !is_own_fault(trial)) return;
  made_.push_back({trial.id, mark->second.step, trial.until, mark->second.loss, std::nullopt});
}

std::optional<Gains::Mark> Gains::mark_of(TrialId trial) const {
  const auto found = marks_.find(trial);
  return found == marks_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<double> Gains::loss_at(TrialId trial, Step step) const {
  const auto of = reached_.find(trial);
  if (of == reached_.end()) return std::nullopt;
  const auto found = of->second.find(step);
  return found == of->second.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace betatune
