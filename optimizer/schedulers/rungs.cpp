#include "optimizer/schedulers/rungs.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {

std::vector<Step> rung_levels(Step min, Step max, double eta) {
  BETATUNE_ASSERT(min >= 1);
  BETATUNE_ASSERT(min <= max);
  BETATUNE_ASSERT(eta > 1);
  std::vector<Step> levels;
  const double highest = static_cast<double>(max) / std::sqrt(eta);
  for (double level = static_cast<double>(min); level <= highest; level *= eta) {
    const auto step = static_cast<Step>(std::llround(level));
    // Small steps with a small eta may round to the same number.
    if (levels.empty() || step > levels.back()) levels.push_back(step);
  }
  if (levels.empty() && min < max) levels.push_back(min);
  if (levels.empty() || levels.back() < max) levels.push_back(max);
  return levels;
}

int rung_at(const std::vector<Step>& levels, Step step) {
  const auto above = std::upper_bound(levels.begin(), levels.end(), step);
  return static_cast<int>(above - levels.begin()) - 1;
}

std::vector<double> known_losses(const StudyState& state, const Trial& trial,
                                 std::optional<double> loss, std::size_t objectives) {
  if (!loss) return {};
  if (objectives == 1) return {*loss};
  // The study file may have had other objectives when the trial was trained.
  if (state.outcomes.objectives() != objectives) return {};
  std::vector<double> losses = state.outcomes.losses(*loss, trial.outcomes);
  const bool known = std::ranges::none_of(losses, [](double each) { return std::isnan(each); });
  return known ? losses : std::vector<double>();
}

void Rung::add(const StudyState& state, const Trial& trial, std::optional<double> loss) {
  if (objectives_ == 1) return add(trial.id, loss, trial.violation);
  add({trial.id, trial.violation, known_losses(state, trial, loss, objectives_)});
}

void Rung::add(TrialId trial, std::optional<double> loss, double violation) {
  BETATUNE_ASSERT(objectives_ == 1);
  order_.add(RungResult::of(trial, loss, violation));
}

void Rung::add(RungLosses result) {
  BETATUNE_ASSERT(objectives_ > 1);
  BETATUNE_ASSERT(result.losses.empty() || result.losses.size() == objectives_);
  const TrialId trial = result.trial;
  if (measured_.emplace(trial, std::move(result)).second) is_ranked_ = false;
}

void Rung::take(TrialId trial) {
  order_.take(trial);
  if (measured_.contains(trial)) taken_.insert(trial);
}

void Rung::remove(TrialId trial) {
  order_.remove(trial);
  taken_.erase(trial);
  if (measured_.erase(trial) > 0) is_ranked_ = false;
}

const RungOrder& Rung::order() const {
  if (is_ranked_) return order_;
  std::vector<RungLosses> results;
  for (const auto& [trial, result] : measured_) results.push_back(result);
  order_ = RungOrder(eta_);
  for (const RungResult& each : ranked_by_fronts(results)) order_.add(each);
  for (const TrialId trial : taken_) order_.take(trial);
  is_ranked_ = true;
  return order_;
}

}  // namespace betatune
