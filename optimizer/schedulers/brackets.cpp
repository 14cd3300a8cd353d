#include "optimizer/schedulers/brackets.hpp"

#include <cmath>

namespace betatune {

BracketPlan hyperband_bracket(std::size_t number, std::size_t rungs, double eta) {
  const std::size_t s = rungs - 1 - number % rungs;
  const std::size_t share = rungs / (s + 1);
  // 1e-9: a power of a decimal eta may fall just short of a whole number.
  const double trials =
      std::floor(static_cast<double>(share) * std::pow(eta, static_cast<double>(s)) + 1e-9);
  return {static_cast<std::size_t>(trials), rungs - 1 - s, true};
}

Bracket::Bracket(BracketPlan plan, std::size_t rungs, const Rung& empty)
    : plan_(plan), levels_(rungs, Level{{}, empty}) {
  BETATUNE_ASSERT(plan.trials > 0);
  BETATUNE_ASSERT(plan.first < rungs);
}

void Bracket::start(TrialId trial) {
  ++started_;
  levels_[plan_.first].pending.insert(trial);
}

void Bracket::aim(TrialId trial, std::size_t rung) {
  Level& level = levels_[rung];
  if (level.pending.contains(trial) || level.results.has(trial)) return;
  for (std::size_t below = plan_.first; below < rung; ++below) levels_[below].results.take(trial);
  level.pending.insert(trial);
  if (rung > plan_.first) sealed_ = true;
}

void Bracket::reach(const StudyState& state, const Trial& trial, std::size_t rung) {
  for (Level& level : levels_) level.pending.erase(trial.id);
  levels_[rung].results.add(state, trial, trial.loss);
}

void Bracket::close(TrialId trial, Outcome outcome) {
  // A failed trial leaves the comparison; a finished one stays in it, but cannot go on.
  const bool leaves = outcome == Outcome::failed || outcome == Outcome::cancelled;
  for (Level& level : levels_) {
    level.pending.erase(trial);
    leaves ? level.results.remove(trial) : level.results.take(trial);
  }
}

std::optional<TrialId> Bracket::next_of(std::size_t rung) const {
  const Rung& results = levels_[rung].results;
  if (const auto best = results.promotable()) return best;
  // Fewer than eta results, or a person stopped those that would go on: the best one goes on all
  // the same, so that every bracket trains a trial to the end.
  return levels_[rung + 1].empty() ? results.best_open() : std::nullopt;
}

std::optional<Bracket::Promotion> Bracket::promotable(bool may_start) const {
  if (!plan_.promotes || (filling() && may_start)) return std::nullopt;
  for (std::size_t rung = plan_.first; rung + 1 < levels_.size(); ++rung) {
    if (!levels_[rung].pending.empty()) return std::nullopt;
    if (const auto trial = next_of(rung)) return Promotion{*trial, rung + 1};
  }
  return std::nullopt;
}

bool Bracket::done() const {
  if (filling()) return false;
  for (const Level& level : levels_) {
    if (!level.pending.empty()) return false;
  }
  return !promotable(false);
}

std::optional<Bracket::Place> Bracket::place_of(TrialId trial) const {
  for (std::size_t rung = levels_.size(); rung-- > plan_.first;) {
    const auto at = levels_[rung].results.place_of(trial);
    if (!at) continue;
    const std::size_t missing = rung == plan_.first && filling() ? plan_.trials - started_ : 0;
    Place out{rung, *at, levels_[rung].pending.size() + missing};
    if (!plan_.promotes) {
      out.at.quota = 0;
      out.at.cut.reset();
    } else if (out.at.quota == 0 && rung + 1 < levels_.size()) {
      // As next_of() has it: one goes on, however few there are.
      out.at.quota = 1;
      if (out.at.place == 1) out.at.cut = out.at.own;
    }
    return out;
  }
  return std::nullopt;
}

BracketScheduler::BracketScheduler(std::vector<Step> levels, double eta, std::size_t objectives,
                                   Plan plan)
    : levels_(std::move(levels)), eta_(eta), objectives_(objectives), plan_(std::move(plan)) {}

Bracket* BracketScheduler::bracket_of(TrialId trial) {
  const auto number = number_.find(trial);
  if (number == number_.end()) return nullptr;
  const auto found = active_.find(number->second);
  return found == active_.end() ? nullptr : &found->second;
}

/// The first attempt of a trial puts it into the bracket that is being filled.
void BracketScheduler::begin(const AttemptStarted& started) {
  if (active_.empty() || !active_.rbegin()->second.filling()) {
    active_.emplace(begun_, Bracket(plan_(begun_), levels_.size(), Rung(eta_, objectives_)));
    ++begun_;
  }
  active_.rbegin()->second.start(started.trial);
  number_[started.trial] = active_.rbegin()->first;
}

void BracketScheduler::observe(const StudyState& state, const Event& event) {
  const auto rung_of = [&](Step until) {
    return static_cast<std::size_t>(std::max(0, rung_at(levels_, until)));
  };
  TrialId trial;
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    trial = started->trial;
    if (started->attempt.n == 1) begin(*started);
    if (Bracket* bracket = bracket_of(trial)) bracket->aim(trial, rung_of(started->until));
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    trial = ended->trial;
    Bracket* bracket = bracket_of(trial);
    const Trial& row = state.trials[trial];
    if (bracket != nullptr && ended->end == AttemptEnd::reached) {
      bracket->reach(state, row, rung_of(row.until));
    }
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    trial = closed->trial;
    if (Bracket* bracket = bracket_of(trial)) bracket->close(trial, closed->outcome);
  } else {
    return;
  }
  const auto number = number_.find(trial);
  if (number == number_.end()) return;
  const auto found = active_.find(number->second);
  if (found != active_.end() && found->second.done()) active_.erase(found);
}

std::optional<Assignment> BracketScheduler::next(const StudyState&, bool may_start) const {
  for (const auto& [number, bracket] : active_) {
    if (const auto on = bracket.promotable(may_start)) return Resume{on->trial, levels_[on->rung]};
  }
  if (!may_start) return std::nullopt;
  return StartNew{levels_[filling().first]};
}

BracketPlan BracketScheduler::filling() const {
  const bool fills = !active_.empty() && active_.rbegin()->second.filling();
  return fills ? active_.rbegin()->second.plan() : plan_(begun_);
}

std::optional<RungStanding> BracketScheduler::standing(TrialId trial) const {
  const auto number = number_.find(trial);
  if (number == number_.end()) return std::nullopt;
  const auto found = active_.find(number->second);
  if (found == active_.end()) return std::nullopt;
  const auto place = found->second.place_of(trial);
  if (!place) return std::nullopt;
  return RungStanding{levels_[place->rung], place->at, place->awaited, number->second};
}

}  // namespace betatune
