#include "optimizer/searchers/seen.hpp"

#include <algorithm>
#include <functional>

namespace betatune {
namespace {

/// Draws before a finite space is walked through instead.
constexpr int kDraws = 256;
/// Draws before a space that cannot be walked through counts as exhausted.
constexpr int kDrawsOfInfiniteSpace = 20'000;
/// Points of a walk before the space counts as exhausted.
constexpr double kWalk = 1 << 21;

std::uint64_t hash_of(const Configuration& configuration) {
  std::uint64_t hash = 0;
  const auto mix = [&hash](std::size_t more) { hash = (hash ^ more) * 0x9E3779B97F4A7C15ULL; };
  for (const auto& [name, value] : configuration) {
    mix(std::hash<std::string>()(name));
    mix(std::hash<Value>()(value));
  }
  return hash;
}

/// Point number `index` of the grid that a finite space is.
Eigen::VectorXd grid_point(const SearchSpace& space, std::uint64_t index) {
  Eigen::VectorXd point(space.dims());
  for (Eigen::Index j = 0; j < point.size(); ++j) {
    const auto column = static_cast<std::size_t>(j);
    const std::uint64_t levels = space.columns()[column].levels;
    point[j] = space.level(column, index % levels);
    index /= levels;
  }
  return point;
}

}  // namespace

void SeenTrials::sync(const History& history) {
  const std::size_t known = by_trial_.size();
  const bool continues =
      known <= history.trials.size() &&
      (known == 0 || (history.trials[TrialId{0}].configuration == by_trial_.front() &&
                      history.trials[TrialId{known - 1}].configuration == by_trial_.back()));
  if (!continues) *this = SeenTrials();
  for (std::size_t i = by_trial_.size(); i < history.trials.size(); ++i) {
    const Trial& trial = history.trials[TrialId{i}];
    by_trial_.push_back(trial.configuration);
    by_hash_.emplace(hash_of(*trial.configuration), trial.configuration.get());
    ++origins_[trial.origin];
  }
}

bool SeenTrials::contains(const Configuration& configuration) const {
  const auto [begin, end] = by_hash_.equal_range(hash_of(configuration));
  return std::any_of(begin, end, [&](const auto& each) { return *each.second == configuration; });
}

std::size_t SeenTrials::count_of(const std::string& origin) const {
  const auto found = origins_.find(origin);
  return found == origins_.end() ? 0 : found->second;
}

FreshBatch::FreshBatch(const History& history, const SeenTrials& seen)
    : history_(history), seen_(seen), taken_(history.queued.begin(), history.queued.end()) {}

bool FreshBatch::is_fresh(const Configuration& configuration) const {
  return !taken_.contains(configuration) && !seen_.contains(configuration);
}

bool FreshBatch::take(const Configuration& configuration) {
  return !seen_.contains(configuration) && taken_.insert(configuration).second;
}

std::optional<Configuration> FreshBatch::draw(Key key) const {
  const SearchSpace& space = history_.space();
  const std::optional<double> size = space.size();
  const int draws = size ? kDraws : kDrawsOfInfiniteSpace;
  for (int i = 0; i < draws; ++i) {
    Configuration drawn = space.sample(fold_in(key, static_cast<std::uint64_t>(i)));
    if (is_fresh(drawn)) return drawn;
  }
  if (!size) return std::nullopt;
  const auto points = static_cast<std::uint64_t>(*size);
  const auto walk = static_cast<std::uint64_t>(std::min(*size, kWalk));
  const std::uint64_t start = Stream(fold_in(key, "walk")).below(points);
  for (std::uint64_t i = 0; i < walk; ++i) {
    Configuration next = space.decode(grid_point(space, (start + i) % points));
    if (space.satisfies_constraints(next) && is_fresh(next)) return next;
  }
  return std::nullopt;
}

}  // namespace betatune
