#include "optimizer/trial_checkpoints.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace betatune {

void remember_checkpoint(Trial& trial, const ArtifactRef& saved) {
  auto& older = trial.older_checkpoints;
  if (trial.checkpoint && trial.checkpoint->uri != saved.uri) {
    older.push_back({std::move(*trial.checkpoint), std::exchange(trial.at_rung, false)});
  }
  trial.checkpoint = saved;
  const auto between_rungs = std::not_fn(&OlderCheckpoint::of_rung);
  if (std::ranges::count_if(older, between_rungs) >
      static_cast<std::ptrdiff_t>(kOlderCheckpoints)) {
    older.erase(std::ranges::find_if(older, between_rungs));
  }
}

void forget_damaged_checkpoint(Trial& trial) {
  auto& older = trial.older_checkpoints;
  std::erase_if(
      older, [&](const OlderCheckpoint& each) { return each.artifact.uri == trial.resumed_from; });
  if (!trial.checkpoint || trial.checkpoint->uri != trial.resumed_from) return;
  trial.checkpoint.reset();
  trial.at_rung = false;
  if (older.empty()) return;
  trial.checkpoint = std::move(older.back().artifact);
  trial.at_rung = older.back().of_rung;
  older.pop_back();
}

}  // namespace betatune
