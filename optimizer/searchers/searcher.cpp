#include "optimizer/searcher.hpp"

namespace betatune {

std::optional<Configuration> Searcher::recommend(const History& history) const {
  const Trial* best = nullptr;
  for (const Trial& trial : history.trials) {
    if (!trial.standing) continue;
    if (best == nullptr || stands_before(trial, *best)) best = &trial;
  }
  if (best == nullptr) return std::nullopt;
  return *best->configuration;
}

}  // namespace betatune
