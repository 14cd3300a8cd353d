#include "optimizer/width_rates.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

/// The widths that a chain of compared pairs joins with the fewest ranks, ascending.
std::vector<int> joined_widths(const WidthRates::Pairs& pairs) {
  std::vector<int> widths = {pairs.begin()->first.first};
  const auto has = [&](int ranks) { return std::ranges::find(widths, ranks) != widths.end(); };
  for (std::size_t before = 0; before != widths.size();) {
    before = widths.size();
    for (const auto& [pair, compared] : pairs) {
      if (has(pair.first) && !has(pair.second)) widths.push_back(pair.second);
      if (has(pair.second) && !has(pair.first)) widths.push_back(pair.first);
    }
  }
  std::ranges::sort(widths);
  return widths;
}

}  // namespace

void WidthRates::report(TrialId trial, int ranks, Step steps, double samples_per_second) {
  if (steps <= 0 || !(samples_per_second > 0) || !std::isfinite(1 / samples_per_second)) return;
  Times& times = trials_[trial][ranks];
  times.steps += steps;
  // Steps have equally many samples, so times add up, not rates.
  times.seconds += static_cast<double>(steps) / samples_per_second;
}

void WidthRates::end_attempt(TrialId trial, int ranks) {
  const auto found = trials_.find(trial);
  if (found == trials_.end()) return;
  const auto own = found->second.find(ranks);
  if (own == found->second.end() || own->second.compared) return;
  const auto log_rate = [](const Times& times) {
    return std::log(static_cast<double>(times.steps) / times.seconds);
  };
  for (const auto& [others, times] : found->second) {
    if (!times.compared) continue;
    ComparedWidths& pair = pairs_[std::minmax(ranks, others)];
    const double gain = log_rate(own->second) - log_rate(times);
    pair.log_ratio += ranks > others ? gain : -gain;
    ++pair.trials;
  }
  own->second.compared = true;
}

std::vector<ScalingPoint> pooled_speedups(const WidthRates::Pairs& pairs) {
  if (pairs.empty()) return {};
  const std::vector<int> widths = joined_widths(pairs);
  const auto unknowns = static_cast<Eigen::Index>(widths.size()) - 1;
  // Of the fewest ranks the logarithm is 0; the normal equations are those of the others.
  Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(unknowns, unknowns);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(unknowns);
  const auto index = [&](int ranks) {
    return static_cast<Eigen::Index>(std::ranges::find(widths, ranks) - widths.begin()) - 1;
  };
  for (const auto& [pair, compared] : pairs) {
    const Eigen::Index few = index(pair.first), many = index(pair.second);
    if (few > unknowns - 1 || many > unknowns - 1) continue;  // not joined
    const auto trials = static_cast<double>(compared.trials);
    normal(many, many) += trials;
    right[many] += compared.log_ratio;
    if (few < 0) continue;
    normal(few, few) += trials;
    normal(few, many) -= trials;
    normal(many, few) -= trials;
    right[few] -= compared.log_ratio;
  }
  const Eigen::VectorXd logs = normal.ldlt().solve(right);
  std::vector<ScalingPoint> points = {{widths.front(), 1}};
  for (Eigen::Index i = 0; i < unknowns; ++i) {
    points.push_back({widths[static_cast<std::size_t>(i) + 1], std::exp(logs[i])});
  }
  return points;
}

}  // namespace betatune
