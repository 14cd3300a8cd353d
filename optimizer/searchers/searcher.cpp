#include "optimizer/searcher.hpp"

namespace betatune {

std::optional<Configuration> Searcher::recommend(const History& history) const {
  const Trial* best = nullptr;
  for (const Trial& trial : history.trials) {
    if (!trial.standing) continue;
    // Losses after different lengths of training do not compare: more training goes first.
    const bool better = best == nullptr || trial.standing->level > best->standing->level ||
                        (trial.standing->level == best->standing->level &&
                         trial.standing->loss < best->standing->loss);
    if (better) best = &trial;
  }
  if (best == nullptr) return std::nullopt;
  return *best->configuration;
}

}  // namespace betatune
