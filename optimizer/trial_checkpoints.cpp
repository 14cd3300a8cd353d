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

bool inherit_checkpoints(Trial& trial, const Trial& parent, Step step) {
  std::vector<ArtifactRef> known;
  for (const OlderCheckpoint& each : parent.older_checkpoints) known.push_back(each.artifact);
  if (parent.checkpoint) known.push_back(*parent.checkpoint);
  const auto found = std::ranges::find(known.rbegin(), known.rend(), step, &ArtifactRef::step);
  if (found == known.rend()) return false;
  trial.checkpoint = *found;
  const std::ptrdiff_t before = known.rend() - found - 1;
  const std::ptrdiff_t kept = std::min(before, static_cast<std::ptrdiff_t>(kOlderCheckpoints));
  for (auto each = known.begin() + (before - kept); each != known.begin() + before; ++each) {
    trial.older_checkpoints.push_back({std::move(*each), false});
  }
  return true;
}

namespace {

void forget(Trial& trial, const std::string& uri) {
  auto& older = trial.older_checkpoints;
  std::erase_if(older, [&](const OlderCheckpoint& each) { return each.artifact.uri == uri; });
  if (!trial.checkpoint || trial.checkpoint->uri != uri) return;
  trial.checkpoint.reset();
  trial.at_rung = false;
  if (older.empty()) return;
  trial.checkpoint = std::move(older.back().artifact);
  trial.at_rung = older.back().of_rung;
  older.pop_back();
}

}  // namespace

void forget_damaged_checkpoint(StudyState& state, TrialId trial) {
  const std::string uri = state.trials[trial].resumed_from->uri;
  TrialId first = trial;
  while (state.trials[first].parent) first = state.trials[first].parent->trial;
  std::vector<TrialId> family{first};
  for (std::size_t i = 0; i < family.size(); ++i) {
    Trial& each = state.trials.edit(family[i]);
    forget(each, uri);
    family.insert(family.end(), each.copied_by.begin(), each.copied_by.end());
  }
}

}  // namespace betatune
