#include "optimizer/checkpoints.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <string>
#include <system_error>
#include <vector>

#include "optimizer/pareto/study_front.hpp"
#include "searchspaces/log.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// The order in which a trial's checkpoints were made.
struct Age {
  std::uint64_t attempt = 0;
  std::int64_t step = 0;
  auto operator<=>(const Age&) const = default;
};

/// From "attempt-A-step-S", which trainers name their checkpoints; nothing for any other name.
std::optional<Age> age_of(const std::string& name) {
  constexpr std::string_view kAttempt = "attempt-";
  constexpr std::string_view kStep = "-step-";
  if (!name.starts_with(kAttempt)) return std::nullopt;
  const std::size_t at = name.find(kStep);
  if (at == std::string::npos) return std::nullopt;
  Age age;
  const char* end = name.data() + name.size();
  const auto first = std::from_chars(name.data() + kAttempt.size(), name.data() + at, age.attempt);
  const auto second = std::from_chars(name.data() + at + kStep.size(), end, age.step);
  if (first.ec != std::errc{} || second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  return age;
}

struct Found {
  Age age;
  fs::path path;
};

/// Newest first. What has another name is nobody's checkpoint, and is left alone.
std::vector<Found> checkpoints_in(const fs::path& folder) {
  std::vector<Found> found;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const auto age = age_of(entry.path().filename().string());
    if (age && entry.is_directory(failed) && !entry.is_symlink(failed)) {
      found.push_back({*age, entry.path()});
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Found& a, const Found& b) { return a.age > b.age; });
  return found;
}

TrialId first_of(const StudyState& state, TrialId id) {
  return state.trials[id].repeats.value_or(id);
}

bool is_being_repeated(const StudyState& state, TrialId first) {
  return std::ranges::any_of(state.trials[first].repeated_by, [&](TrialId each) {
    return state.trials[each].state != TrialState::closed;
  });
}

std::string folder_of(TrialId id) {
  return fmt::format("trial-{}", id.n);
}

/// Names of the folders that are kept whatever their age.
std::set<std::string> kept_by_name(const Trial& trial, bool rungs) {
  std::set<std::string> names;
  const auto add = [&](const std::string& uri) { names.insert(fs::path(uri).filename().string()); };
  if (trial.state == TrialState::running && trial.resumed_from) add(trial.resumed_from->uri);
  const ArtifactRef* rung = trial.rung_checkpoint();
  if (trial.state != TrialState::closed && rung != nullptr) add(rung->uri);
  if (!rungs) return names;
  if (trial.checkpoint && trial.at_rung) add(trial.checkpoint->uri);
  for (const OlderCheckpoint& each : trial.older_checkpoints) {
    if (each.of_rung) add(each.artifact.uri);
  }
  return names;
}

/// What a trial that is not over goes on from, or falls back to: at most `keep`, and what it was
/// resumed from.
std::vector<std::string> goes_on_from(const Trial& trial, int keep) {
  std::vector<std::string> uris;
  if (trial.checkpoint) uris.push_back(trial.checkpoint->uri);
  auto older = trial.older_checkpoints.rbegin();
  for (; older != trial.older_checkpoints.rend() && std::ssize(uris) < keep; ++older) {
    uris.push_back(older->artifact.uri);
  }
  if (trial.state == TrialState::running && trial.resumed_from) {
    uris.push_back(trial.resumed_from->uri);
  }
  return uris;
}

/// With all from which they have a checkpoint, or may have one.
std::set<TrialId> with_ancestors(const StudyState& state, const std::set<TrialId>& trials) {
  std::set<TrialId> all;
  for (TrialId id : trials) {
    while (all.insert(id).second && state.trials[id].parent) id = state.trials[id].parent->trial;
  }
  return all;
}

}  // namespace

CheckpointKeeper::CheckpointKeeper(fs::path study_dir, const CheckpointsSpec& rules)
    : study_dir_(std::move(study_dir)), rules_(rules), objects_(study_dir_) {}

void CheckpointKeeper::sweep(const StudyState& state) {
  std::set<TrialId> closed;
  for (const Trial& trial : state.trials) {
    if (trial.state == TrialState::closed) closed.insert(trial.id);
  }
  settle_best(state, closed);
  for (const Trial& trial : state.trials) tidy(state, trial.id);
  objects_.collect();
}

void CheckpointKeeper::on_events(std::span<const Event> events, const StudyState& state) {
  std::set<TrialId> touched, closed;
  for (const Event& event : events) {
    if (const auto* saved = std::get_if<CheckpointSaved>(&event.fact)) touched.insert(saved->trial);
    if (const auto* end = std::get_if<TrialClosed>(&event.fact)) closed.insert(end->trial);
  }
  std::set<TrialId> groups = settle_best(state, closed);
  for (const TrialId id : closed) groups.insert(first_of(state, id));
  for (const TrialId id : groups) {
    const Trial& first = state.trials[id];
    touched.insert(id);
    touched.insert(first.repeated_by.begin(), first.repeated_by.end());
  }
  for (const TrialId id : with_ancestors(state, touched)) tidy(state, id);
}

/// Returns the trials that were best and are not any more.
std::set<TrialId> CheckpointKeeper::settle_best(const StudyState& state,
                                                const std::set<TrialId>& closed) {
  std::set<TrialId> before;
  if (best_) before.insert(*best_);
  before.insert(best_closed_.begin(), best_closed_.end());
  before.insert(front_.begin(), front_.end());
  best_ = state.best;
  for (const TrialId id : closed) rank(state, first_of(state, id));
  if (state.outcomes.objectives() > 1 && !closed.empty()) {
    front_.clear();
    for (const TrialId id : front_trials(state)) front_.insert(id);
  }
  return before;
}

void CheckpointKeeper::rank(const StudyState& state, TrialId first) {
  std::erase(best_closed_, first);
  if (!state.trials[first].standing) return;
  const auto at = std::ranges::find_if(best_closed_, [&](TrialId each) {
    return stands_before(state.trials[first], state.trials[each]);
  });
  best_closed_.insert(at, first);
  if (best_closed_.size() > static_cast<std::size_t>(rules_.best)) best_closed_.pop_back();
}

bool CheckpointKeeper::is_best(const StudyState& state, TrialId first) const {
  // Which of the repeats has the model is known when all of them are over.
  return first == best_ || std::ranges::find(best_closed_, first) != best_closed_.end() ||
         front_.contains(first) || is_being_repeated(state, first);
}

/// Names of the folders of `trial` that others need, which began with its checkpoints or with
/// copies of copies.
std::set<std::string> CheckpointKeeper::needed_by_copies(const StudyState& state,
                                                         const Trial& trial) const {
  std::set<std::string> names;
  std::vector<TrialId> copies = trial.copied_by;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const Trial& copy = state.trials[copies[i]];
    copies.insert(copies.end(), copy.copied_by.begin(), copy.copied_by.end());
    const bool is_closed = copy.state == TrialState::closed;
    if (is_closed && !is_best(state, first_of(state, copy.id))) continue;
    for (const fs::path uri : goes_on_from(copy, is_closed ? 1 : rules_.keep)) {
      if (uri.parent_path().filename() == folder_of(trial.id)) names.insert(uri.filename());
    }
  }
  return names;
}

void CheckpointKeeper::tidy(const StudyState& state, TrialId id) const {
  const Trial& trial = state.trials[id];
  if (!trial.checkpoint) return;
  const fs::path newest = study_dir_ / trial.checkpoint->uri;
  const auto recorded = age_of(newest.filename().string());
  // A trainer with names of its own keeps its files itself; and no trial touches another's folder.
  if (!recorded || newest.parent_path().filename() != folder_of(id)) return;
  const bool is_closed = trial.state == TrialState::closed;
  const bool is_model = is_best(state, first_of(state, id));
  std::set<std::string> by_name = kept_by_name(trial, rules_.rungs);
  by_name.merge(needed_by_copies(state, trial));
  int to_keep = is_closed ? (is_model ? 1 : 0) : rules_.keep;
  for (const Found& each : checkpoints_in(newest.parent_path())) {
    if (each.age > *recorded && !is_closed) continue;
    if (each.age <= *recorded && to_keep > 0) {
      --to_keep;
      continue;
    }
    if (by_name.contains(each.path.filename().string())) continue;
    const Status released = objects_.release(each.path);
    if (!released) log().warn("a checkpoint cannot be removed: {}", released.error().message);
  }
  std::error_code not_empty;
  if (is_closed && !is_model) fs::remove(newest.parent_path(), not_empty);
}

}  // namespace betatune
