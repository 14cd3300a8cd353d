#include "optimizer/cost_ledger.hpp"

#include <algorithm>

namespace betatune {
namespace {

std::pair<std::int64_t, std::string> key_of(const AttemptCost& attempt, CostBy by) {
  switch (by) {
    case CostBy::rung:
      return {attempt.until, std::to_string(attempt.until)};
    case CostBy::trial:
      return {static_cast<std::int64_t>(attempt.trial), std::to_string(attempt.trial)};
    case CostBy::trainer:
      return {0, attempt.trainer};
    case CostBy::origin:
      break;
  }
  return {0, attempt.origin};
}

}  // namespace

void CostLedger::add(const AttemptCost& attempt) {
  const Step steps = std::max<Step>(0, attempt.step - attempt.from);
  const auto add_to = [&](Cost& cost) {
    ++cost.attempts;
    cost.steps += steps;
    cost.seconds += attempt.seconds;
  };
  add_to(total_);
  add_to(groups_[key_of(attempt, by_)]);
  if (!attempt.succeeded) add_to(failed_);
  TrialCost& trial = trials_[attempt.trial];
  trial.steps += steps;
  trial.seconds += attempt.seconds;
  if (attempt.succeeded) trial.highest = std::max(trial.highest, attempt.step);
}

double CostLedger::seconds_per_step(std::uint64_t trial) const {
  const auto found = trials_.find(trial);
  if (found != trials_.end() && found->second.steps > 0) {
    return found->second.seconds / static_cast<double>(found->second.steps);
  }
  return total_.steps > 0 ? total_.seconds / static_cast<double>(total_.steps) : 0;
}

Cost CostLedger::saved() const {
  Cost saved;
  for (const auto& [id, trial] : trials_) {
    if (trial.highest >= full_budget_) continue;
    ++saved.attempts;
    const Step left = full_budget_ - trial.highest;
    saved.steps += left;
    saved.seconds += seconds_per_step(id) * static_cast<double>(left);
  }
  return saved;
}

}  // namespace betatune
