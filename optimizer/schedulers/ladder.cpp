#include "optimizer/schedulers/ladder.hpp"

namespace betatune {

void Ladder::observe(const StudyState& state, const Event& event) {
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    start(*started);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end != AttemptEnd::reached) return;
    const Trial& trial = state.trials[ended->trial];
    record(state, trial, rung_at(levels_, trial.until), trial.loss);
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    close(*closed);
  }
}

void Ladder::start(const AttemptStarted& started) {
  const int to = rung_at(levels_, started.until);
  for (int rung = 0; rung < to; ++rung) {
    rungs_[static_cast<std::size_t>(rung)].take(started.trial);
  }
}

bool Ladder::record(const StudyState& state, const Trial& trial, int rung,
                    std::optional<double> loss) {
  if (rung < 0) return false;
  const auto [found, first] = highest_.emplace(trial.id, rung);
  if (!first && found->second >= rung) return false;
  found->second = rung;
  rungs_[static_cast<std::size_t>(rung)].add(state, trial, loss);
  return true;
}

bool Ladder::close(const TrialClosed& closed) {
  const bool leaves = closed.outcome == Outcome::failed || closed.outcome == Outcome::cancelled;
  for (Rung& rung : rungs_) leaves ? rung.remove(closed.trial) : rung.take(closed.trial);
  return leaves;
}

std::optional<Assignment> Ladder::promotion(std::size_t top) const {
  for (std::size_t rung = top; rung-- > 0;) {
    if (const auto best = rungs_[rung].promotable()) return Resume{*best, levels_[rung + 1]};
  }
  return std::nullopt;
}

std::optional<Assignment> Ladder::promotion_or_new(bool may_start) const {
  if (auto promoted = promotion(levels_.size() - 1)) return promoted;
  if (may_start) return StartNew{levels_.front()};
  return std::nullopt;
}

std::optional<Assignment> Ladder::finish(const StudyState& state) const {
  if (!state.running.empty() || !state.waiting.empty() || rungs_.back().size() > 0) {
    return std::nullopt;
  }
  for (std::size_t rung = levels_.size() - 1; rung-- > 0;) {
    if (const auto best = rungs_[rung].best_open()) return Resume{*best, levels_.back()};
  }
  return std::nullopt;
}

int Ladder::rung_of(TrialId trial) const {
  const auto found = highest_.find(trial);
  return found == highest_.end() ? -1 : found->second;
}

std::optional<RungStanding> Ladder::standing(TrialId trial) const {
  const int rung = rung_of(trial);
  if (rung < 0) return std::nullopt;
  const auto at = static_cast<std::size_t>(rung);
  const auto place = rungs_[at].place_of(trial);
  return place ? std::optional(RungStanding{levels_[at], *place}) : std::nullopt;
}

}  // namespace betatune
