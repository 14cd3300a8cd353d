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
    case CostBy::user:
      return {0, attempt.user};
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
    cost.gpu_seconds += attempt.seconds * attempt.gpus;
    cost.slot_seconds += attempt.seconds * attempt.slots;
  };
  add_to(total_);
  add_to(groups_[key_of(attempt, by_)]);
  if (!attempt.succeeded) add_to(failed_);
  TrialCost& trial = trials_[attempt.trial];
  add_to(trial.cost);
  if (!attempt.succeeded) return;
  add_again(attempt, steps, trial.highest);
  trial.highest = std::max(trial.highest, attempt.step);
}

void CostLedger::add_again(const AttemptCost& attempt, Step steps, Step highest) {
  const Step below = std::min(attempt.step, highest) - attempt.from;
  if (below <= 0) return;
  const double share = static_cast<double>(below) / static_cast<double>(steps);
  ++again_.attempts;
  again_.steps += below;
  again_.seconds += share * attempt.seconds;
  again_.gpu_seconds += share * attempt.seconds * attempt.gpus;
  again_.slot_seconds += share * attempt.seconds * attempt.slots;
}

/// Of the trial where it trained a step, else of all.
const Cost& CostLedger::known_cost(std::uint64_t trial) const {
  const auto found = trials_.find(trial);
  return found != trials_.end() && found->second.cost.steps > 0 ? found->second.cost : total_;
}

double CostLedger::seconds_per_step(std::uint64_t trial) const {
  const Cost& known = known_cost(trial);
  return known.steps > 0 ? known.seconds / static_cast<double>(known.steps) : 0;
}

Cost CostLedger::saved() const {
  Cost saved{0, -again_.steps, -again_.seconds, -again_.gpu_seconds, -again_.slot_seconds};
  for (const auto& [id, trial] : trials_) {
    if (trial.highest >= full_budget_ || trial.replaced) continue;
    ++saved.attempts;
    const Step left = full_budget_ - trial.highest;
    saved.steps += left;
    const Cost& known = known_cost(id);
    if (known.steps == 0) continue;
    const double times = static_cast<double>(left) / static_cast<double>(known.steps);
    saved.seconds += times * known.seconds;
    saved.gpu_seconds += times * known.gpu_seconds;
    saved.slot_seconds += times * known.slot_seconds;
  }
  return saved;
}

}  // namespace betatune
