/// What is trained more than once: repeats of a configuration, and the confirmation of the best.
///
/// A configuration's repeats are trials right behind its first one, with seeds of their own, as
/// many as the budget still has. When the budget is used, `confirm_best` trains the best ones
/// again, beyond it: what decided that they are the best cannot say how good they are (the luckiest
/// of many draws is lucky), results made afterwards can.

#include <algorithm>

#include "optimizer/coordinator.hpp"
#include "optimizer/standings.hpp"

namespace betatune {

/// How many more may be begun. Precondition: there is a budget of trials.
std::int64_t Coordinator::configurations_left() const {
  const std::int64_t trials = *spec_->stopping.trials - state_.spent();
  return (trials + spec_->noise.repeats - 1) / spec_->noise.repeats;
}

void Coordinator::repeat(TrialId first, const char* origin) {
  TrialCreated fact;
  fact.configuration = *state_.trials[first].configuration;
  fact.origin = origin;
  fact.repeats = first;
  create(std::move(fact));
}

void Coordinator::add_repeats(TrialId first) {
  for (int i = 1; i < spec_->noise.repeats && trials_left(); ++i) repeat(first, kRepeatOrigin);
}

/// Of the best configurations, each as often as it has still to be trained to be confirmed.
std::vector<TrialId> Coordinator::unconfirmed() const {
  const std::optional<ConfirmSpec>& wanted = spec_->noise.confirm_best;
  std::vector<TrialId> out;
  if (!wanted) return out;
  for (const TrialId id : best_of_search(state_, static_cast<std::size_t>(wanted->top))) {
    const auto made = std::ranges::count_if(state_.trials[id].repeated_by, [&](TrialId each) {
      return state_.trials[each].confirms();
    });
    out.insert(out.end(),
               static_cast<std::size_t>(std::max<std::ptrdiff_t>(wanted->seeds - made, 0)), id);
  }
  return out;
}

/// Returns whether there is anything to confirm.
bool Coordinator::confirm_best() {
  const std::vector<TrialId> missing = unconfirmed();
  for (const TrialId id : missing) repeat(id, kConfirmOrigin);
  return !missing.empty();
}

}  // namespace betatune
