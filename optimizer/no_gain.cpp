#include "optimizer/no_gain.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/local/trust_region.hpp"
#include "optimizer/numerics/normal.hpp"

namespace betatune {

std::optional<double> promised_gain(const Trial& trial) {
  if (const std::optional<LocalNote> step = LocalNote::of(trial)) {
    if (!(step->deviation > 0)) return std::max(0.0, step->predicted);
    return step->deviation * std::exp(log_improvement(step->predicted / step->deviation).log_h);
  }
  if (trial.note == nullptr || !trial.note->is_object()) return std::nullopt;
  const auto found = trial.note->find("gain");
  if (found == trial.note->end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

bool promises_no_gain(const TrialTable& trials, const NoGainSpec& rule) {
  int low = 0;
  for (std::size_t i = trials.size(); i-- > 0;) {
    const std::optional<double> promised = promised_gain(trials[TrialId{i}]);
    if (!promised) continue;
    if (*promised >= rule.below) return false;
    if (++low == rule.trials) return true;
  }
  return false;
}

}  // namespace betatune
