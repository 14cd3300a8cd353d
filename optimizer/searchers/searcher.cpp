#include "optimizer/searcher.hpp"

namespace betatune {

std::optional<Configuration> Searcher::recommend(const History& history) const {
  const Trial* best = nullptr;
  // Losses after different lengths of training do not compare: more training goes first.
  const auto step_of = [&](const Trial& trial) -> Step {
    if (!history.spec->fidelity) return 0;
    for (auto it = trial.observations.rbegin(); it != trial.observations.rend(); ++it) {
      if (it->loss) return it->step;
    }
    return 0;
  };
  for (const Trial& trial : history.trials) {
    if (!trial.loss || trial.outcome == Outcome::failed) continue;
    const bool better = best == nullptr || step_of(trial) > step_of(*best) ||
                        (step_of(trial) == step_of(*best) && *trial.loss < *best->loss);
    if (better) best = &trial;
  }
  if (best == nullptr) return std::nullopt;
  return *best->configuration;
}

}  // namespace betatune
