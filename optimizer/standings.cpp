#include "optimizer/standings.hpp"

#include <algorithm>

namespace betatune {
namespace {

struct Group {
  std::vector<TrialId> searching, confirming;
};

Group group_of(const Trial& first, const TrialTable& trials) {
  Group out{{first.id}, {}};
  for (const TrialId id : first.repeated_by) {
    (trials[id].confirms() ? out.confirming : out.searching).push_back(id);
  }
  return out;
}

/// Those that count, of trials that are all over; of one alone, as soon as it has a result.
std::vector<TrialId> counted(const TrialTable& trials, const std::vector<TrialId>& ids) {
  Step level = 0;
  for (const TrialId id : ids) {
    const Trial& trial = trials[id];
    if (ids.size() > 1 && trial.state != TrialState::closed) return {};
    if (trial.result) level = std::max(level, trial.result->level);
  }
  std::vector<TrialId> out;
  for (const TrialId id : ids) {
    if (trials[id].result && trials[id].result->level == level) out.push_back(id);
  }
  return out;
}

std::optional<Standing> mean(const TrialTable& trials, const std::vector<TrialId>& ids) {
  const std::vector<TrialId> all = counted(trials, ids);
  if (all.empty()) return std::nullopt;
  Standing out{trials[all.front()].result->level, 0, 0};
  for (const TrialId id : all) {
    out.loss += trials[id].result->loss;
    out.violation += trials[id].result->violation;
  }
  out.loss /= static_cast<double>(all.size());
  out.violation /= static_cast<double>(all.size());
  return out;
}

std::optional<Standing> standing_of(const Trial& first, const TrialTable& trials) {
  if (first.repeated_by.empty()) return first.result;
  const Group group = group_of(first, trials);
  if (auto confirmed = mean(trials, group.confirming)) {
    confirmed->confirmed = true;
    return confirmed;
  }
  return mean(trials, group.searching);
}

void find_best(StudyState& state) {
  state.best.reset();
  for (const Trial& trial : state.trials) {
    if (trial.standing && (!state.best || stands_before(trial, state.trials[*state.best]))) {
      state.best = trial.id;
    }
  }
}

}  // namespace

std::optional<Standing> result_of(const StudyState& state, const Trial& trial) {
  if (!trial.loss) return std::nullopt;
  return Standing{std::min(trial.loss_step, state.full_budget), *trial.loss, trial.violation};
}

void set_result(StudyState& state, TrialId id, std::optional<Standing> result) {
  if (state.trials[id].result == result) return;
  state.trials.edit(id).result = result;
  update_standing(state, id);
}

/// Only a best trial that falls back (it failed after all, or reported a step again with another
/// loss) costs a look at every trial.
void update_standing(StudyState& state, TrialId id) {
  const TrialId first = state.trials[id].repeats.value_or(id);
  const std::optional<Standing> now = standing_of(state.trials[first], state.trials);
  const std::optional<Standing> before = state.trials[first].standing;
  if (before == now) return;
  Trial& trial = state.trials.edit(first);
  trial.standing = now;
  if (state.best == first) {
    if (!now || before->before(*now)) find_best(state);
    return;
  }
  if (now && (!state.best || stands_before(trial, state.trials[*state.best]))) state.best = first;
}

void update_all_standings(StudyState& state) {
  for (std::uint64_t n = 0; n < state.trials.size(); ++n) {
    if (!state.trials[TrialId{n}].result) continue;
    Trial& trial = state.trials.edit(TrialId{n});
    trial.result = result_of(state, trial);
  }
  for (std::uint64_t n = 0; n < state.trials.size(); ++n) {
    if (state.trials[TrialId{n}].repeats) continue;
    Trial& trial = state.trials.edit(TrialId{n});
    trial.standing = standing_of(trial, state.trials);
  }
  find_best(state);
}

std::vector<TrialId> trials_behind(const TrialTable& trials, const Trial& trial) {
  const Group group = group_of(trial, trials);
  const bool confirmed = trial.standing && trial.standing->confirmed;
  return counted(trials, confirmed ? group.confirming : group.searching);
}

Repeated repeated_result(const TrialTable& trials, const Trial& trial) {
  Repeated out;
  out.confirmed = trial.standing && trial.standing->confirmed;
  for (const TrialId id : trials_behind(trials, trial)) {
    out.losses.push_back(trials[id].result->loss);
  }
  return out;
}

std::vector<TrialId> best_of_search(const StudyState& state, std::size_t count) {
  struct Found {
    Standing standing;
    TrialId id;
  };
  std::vector<Found> found;
  for (const Trial& trial : state.trials) {
    if (trial.repeats) continue;
    const auto searched = mean(state.trials, group_of(trial, state.trials).searching);
    if (searched) found.push_back({*searched, trial.id});
  }
  std::ranges::stable_sort(
      found, [](const auto& a, const auto& b) { return a.standing.before(b.standing); });
  if (!found.empty() && found.front().standing.violation == 0) {
    std::erase_if(found, [](const Found& each) { return each.standing.violation != 0; });
  }
  std::vector<TrialId> out;
  for (std::size_t i = 0; i < std::min(count, found.size()); ++i) out.push_back(found[i].id);
  return out;
}

}  // namespace betatune
