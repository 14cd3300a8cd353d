#include "optimizer/schedulers/population.hpp"

#include <algorithm>

namespace betatune {

void Population::observe(const StudyState& state, const Event& event) {
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    begin(*created);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end == AttemptEnd::reached) reach(state.trials[ended->trial]);
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    close(*closed);
  }
}

void Population::begin(const TrialCreated& created) {
  if (!created.parent) {
    if (!has_room() && !vacancies_.empty()) vacancies_.pop_front();
    members_[created.trial] = 0;
    return;
  }
  if (const auto& replaced = created.parent->replaces) {
    members_.erase(*replaced);
    std::erase_if(vacancies_, [&](const Vacancy& each) { return each.of == *replaced; });
  }
  members_[created.trial] = created.parent->step;
}

void Population::reach(const Trial& trial) {
  const auto member = members_.find(trial.id);
  if (member == members_.end() || !trial.loss) return;
  member->second = trial.until;
  results_[trial.until].insert(RungResult::of(trial.id, trial.loss, trial.violation));
}

void Population::close(const TrialClosed& closed) {
  const bool counts = closed.outcome == Outcome::completed || closed.outcome == Outcome::stopped;
  for (auto& [step, results] : results_) {
    if (!counts)
      std::erase_if(results, [&](const auto& each) { return each.trial == closed.trial; });
  }
  const auto member = members_.find(closed.trial);
  if (member == members_.end()) return;
  if (closed.outcome == Outcome::completed) {
    ++completed_;
  } else {
    vacancies_.push_back({closed.trial, member->second});
  }
  members_.erase(member);
}

const std::set<RungResult>& Population::results(Step step) const {
  static const std::set<RungResult> none;
  const auto found = results_.find(step);
  return found == results_.end() ? none : found->second;
}

bool Population::has_result(TrialId trial, Step step) const {
  return std::ranges::any_of(results(step),
                             [&](const RungResult& each) { return each.trial == trial; });
}

}  // namespace betatune
