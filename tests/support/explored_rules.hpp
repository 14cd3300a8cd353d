#pragma once
/// Small studies to explore, and the rule of asynchronous halving, which several schedulers follow
/// some of the time.

#include <cstdlib>

#include "tests/support/study_explorer.hpp"

namespace betatune::support {

inline bool is_long() {
  return std::getenv("BETATUNE_LONG_TESTS") != nullptr;
}

/// A study of rungs 1, 2 and 4, or the first two of them, eta 2.
inline SmallStudy small(const std::string& scheduler, Json options = Json::object(), Step max = 4) {
  SmallStudy study;
  if (scheduler != "pbt" && scheduler != "fifo") options["eta"] = 2;
  study.spec = fidelity_spec(1, max, scheduler, options);
  study.levels = rung_levels(1, max, 2);
  study.troubles = is_long() ? 2 : 1;
  // To a scheduler, a trial that fails has failed, whatever it was.
  if (!is_long()) std::erase(study.happenings, Happening::fail);
  return study;
}

inline bool is_open(const ExploredStudy& it, TrialId trial, Step level) {
  const Trial& row = it.state().trials[trial];
  return row.state == TrialState::paused && row.until == level;
}

/// The best trial that waits at a level, if it is among the best 1/2 of all that came there.
inline std::optional<TrialId> best_of_top(const ExploredStudy& it, Step level) {
  const std::vector<TrialId> all = it.ledger().ranking(level);
  for (std::size_t place = 0; place < all.size() / 2; ++place) {
    if (is_open(it, all[place], level)) return all[place];
  }
  return std::nullopt;
}

/// How many of a level's results have gone on.
inline std::size_t gone_on(const ExploredStudy& it, Step level) {
  return static_cast<std::size_t>(
      std::ranges::count_if(it.ledger().ranking(level),
                            [&](TrialId trial) { return it.state().trials[trial].until > level; }));
}

/// Who goes to the end when the budget is used and nobody was trained there: the best of the
/// highest rung.
inline std::string broken_by_finish(const ExploredStudy& it, const Resume& resume) {
  const std::vector<Step> levels = it.scheduler().rungs().levels;
  if (!it.is_idle() || !it.ledger().ranking(levels.back()).empty()) {
    return "promotes who is not among the best";
  }
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    for (const TrialId trial : it.ledger().ranking(*level)) {
      if (!is_open(it, trial, *level)) continue;
      return trial == resume.trial && resume.until == levels.back() ? "" : "finishes not the best";
    }
  }
  return "finishes what does not wait";
}

/// Asynchronous halving up to rung number `top`: the best of the top half of the highest rung that
/// has one. delayed: only while no more than half of the rung's trials have gone on.
inline Rule halving_rule(std::size_t top, bool delayed = false) {
  return [=](const ExploredStudy& it, const Answer& answer, bool may_start) -> std::string {
    const std::vector<Step> levels = it.scheduler().rungs().levels;
    for (std::size_t rung = top; rung-- > 0;) {
      const Step level = levels[rung];
      const auto best = best_of_top(it, level);
      if (delayed && gone_on(it, level) + 1 > it.ledger().ranking(level).size() / 2) continue;
      if (!best) continue;
      return text_of(answer) == text_of(Resume{*best, levels[rung + 1]}) ? ""
                                                                         : "passes over the best";
    }
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    if (resume == nullptr) return {};
    return may_start ? "promotes who is not among the best" : broken_by_finish(it, *resume);
  };
}

}  // namespace betatune::support
