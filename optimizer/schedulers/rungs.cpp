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

std::size_t rung_quota(std::size_t results, double eta) {
  // 1e-9: 3 / 1.5 must not become 1.999...
  return static_cast<std::size_t>(static_cast<double>(results) / eta + 1e-9);
}

void Rung::add(TrialId trial, std::optional<double> loss, double violation) {
  constexpr double kWorst = std::numeric_limits<double>::infinity();
  const RungResult result{loss ? violation : kWorst, loss.value_or(kWorst), trial};
  if (!results_.emplace(trial, result).second) return;
  (!top_.empty() && result < *top_.rbegin() ? top_ : rest_).insert(result);
  open_.insert(result);
  balance();
}

void Rung::take(TrialId trial) {
  const auto found = results_.find(trial);
  if (found != results_.end()) open_.erase(found->second);
}

void Rung::remove(TrialId trial) {
  const auto found = results_.find(trial);
  if (found == results_.end()) return;
  const RungResult result = found->second;
  results_.erase(found);
  top_.erase(result);
  rest_.erase(result);
  open_.erase(result);
  balance();
}

void Rung::balance() {
  const std::size_t quota = rung_quota(results_.size(), eta_);
  while (top_.size() < quota) top_.insert(rest_.extract(rest_.begin()));
  while (top_.size() > quota) rest_.insert(top_.extract(std::prev(top_.end())));
}

bool Rung::in_top(TrialId trial) const {
  const auto found = results_.find(trial);
  return found != results_.end() && top_.contains(found->second);
}

std::optional<TrialId> Rung::best_open() const {
  if (open_.empty() || !std::isfinite(open_.begin()->loss)) return std::nullopt;
  return open_.begin()->trial;
}

std::optional<TrialId> Rung::promotable() const {
  const auto best = best_open();
  return best && top_.contains(*open_.begin()) ? best : std::nullopt;
}

}  // namespace betatune
