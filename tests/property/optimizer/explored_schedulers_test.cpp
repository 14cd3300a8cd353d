// Every state that a small study can come to under a scheduler, whatever order things happen in:
// asking, reports, the end of attempts, failures of both kinds, lost workers, damaged checkpoints,
// a killed optimizer, a person who stops a trial. BETATUNE_LONG_TESTS=1 explores more trouble.
// Populations, models and medians are explored in files of their own.

#include <gtest/gtest.h>

#include "tests/support/explored_rules.hpp"

namespace betatune {
namespace {

using support::Answer;
using support::ExploredStudy;
using support::Explorer;
using support::fidelity_spec;
using support::halving_rule;
using support::is_long;
using support::is_open;
using support::Rule;
using support::small;
using support::SmallStudy;

/// A trial that runs on is stopped where it is not in the top half of two results and more, unless
/// it has been further before its worker was lost.
std::string broken_by_judgement(const ExploredStudy& it) {
  for (const Fact& fact : it.news()) {
    const auto* reported = std::get_if<Reported>(&fact);
    if (reported == nullptr || !reported->loss) continue;
    const Trial& trial = it.state().trials[reported->trial];
    if (reported->step >= trial.until) continue;
    const std::vector<TrialId> all = it.ledger().ranking(reported->step);
    const auto place = std::ranges::find(all, trial.id) - all.begin();
    const bool was_further = trial.observations.back().step > reported->step;
    const bool stays = was_further || all.size() < 2 || place < std::ssize(all) / 2;
    if (stays == trial.decided.has_value()) return "stops one of the best, or leaves a bad one";
  }
  return {};
}

/// Synchronous brackets: `sizes[i]` trials begin at level `firsts[i]`, in turn. From number
/// `resting` on their trials stay where they began.
struct BracketTable {
  std::vector<std::size_t> sizes;
  std::vector<Step> firsts;
  std::size_t resting = ~std::size_t{0};

  /// Where the trial begins before which so many have.
  Step first_of(std::size_t begun) const {
    std::size_t i = 0;
    for (; begun >= sizes[i % sizes.size()]; ++i) begun -= sizes[i % sizes.size()];
    return firsts[i % sizes.size()];
  }
};

/// Of the trials of a bracket that began with at least one, in the order of their beginning.
std::vector<TrialId> bracket_of(const ExploredStudy& it, const BracketTable& table, TrialId trial,
                                bool& is_full, std::size_t& number) {
  const std::vector<TrialId>& begun = it.ledger().begun;
  std::size_t from = 0;
  for (std::size_t i = 0; from < begun.size(); ++i) {
    const std::size_t size = table.sizes[i % table.sizes.size()];
    const std::size_t to = std::min(begun.size(), from + size);
    const std::span members = std::span(begun).subspan(from, to - from);
    is_full = members.size() == size;
    number = i;
    if (std::ranges::find(members, trial) != members.end()) return {members.begin(), members.end()};
    from = to;
  }
  return {};
}

Rule bracket_rule(BracketTable table) {
  return [=](const ExploredStudy& it, const Answer& answer, bool may_start) -> std::string {
    if (!answer) return {};
    if (const auto* start = std::get_if<StartNew>(&*answer)) {
      return start->until == table.first_of(it.ledger().begun.size()) ? "" : "begins elsewhere";
    }
    const auto* resume = &std::get<Resume>(*answer);
    bool is_full = false;
    std::size_t number = 0;
    const std::vector<TrialId> members = bracket_of(it, table, resume->trial, is_full, number);
    if (number >= table.resting) return "goes on from where trials rest";
    if (!is_full && may_start) return "goes on with a bracket that is not full";
    const Step level = it.state().trials[resume->trial].until;
    std::vector<TrialId> results;
    bool any_above = false;
    for (const TrialId trial : it.ledger().ranking(level)) {
      if (std::ranges::find(members, trial) != members.end()) results.push_back(trial);
    }
    for (const TrialId id : members) {
      const Trial& trial = it.state().trials[id];
      const bool trains = trial.state == TrialState::running || trial.state == TrialState::created;
      if (trains && trial.until <= level) return "does not wait for its bracket";
      any_above |= trial.until > level && trial.outcome != Outcome::failed;
    }
    const auto place = std::ranges::find(results, resume->trial) - results.begin();
    if (place < std::ssize(results) / 2) return {};
    const auto open =
        std::ranges::find_if(results, [&](TrialId trial) { return is_open(it, trial, level); });
    return !any_above && *open == resume->trial ? "" : "promotes who is not among the best";
  };
}

TEST(ExploredSchedulers, Asha) {
  Explorer({.study = small("asha"), .rule = halving_rule(2)}).run();
}

TEST(ExploredSchedulers, AshaThatStops) {
  SmallStudy study = small("asha", {{"mode", "stop"}});
  study.troubles = 1;
  if (!is_long())
    study.levels = {2, 4}, study.spec = fidelity_spec(2, 4, "asha", {{"mode", "stop"}, {"eta", 2}});
  Explorer({.study = study,
            .rule = halving_rule(0),
            .after = broken_by_judgement,
            .trains_fully = false})
      .run();
}

// The highest rung may be the second or the third: which one follows from the order of results.
TEST(ExploredSchedulers, Pasha) {
  const Rule to_second = halving_rule(1), to_third = halving_rule(2);
  SmallStudy study = small("pasha");
  study.slots = is_long() ? 2 : 1;
  study.troubles = 1;
  Explorer({.study = study,
            .rule =
                [=](const ExploredStudy& it, const Answer& answer, bool may_start) {
                  const std::string broken = to_third(it, answer, may_start);
                  return broken.empty() ? broken : to_second(it, answer, may_start);
                },
            .memory = {.of_order = true}})
      .run();
}

TEST(ExploredSchedulers, HyperTune) {
  Explorer({.study = small("hyper-tune"), .rule = halving_rule(2, true)}).run();
}

TEST(ExploredSchedulers, SuccessiveHalving) {
  const SmallStudy study = small("successive-halving", {{"trials", 2}}, 2);
  Explorer({.study = study, .rule = bracket_rule({{2}, {1}})}).run();
}

TEST(ExploredSchedulers, Hyperband) {
  const SmallStudy study = small("hyperband", Json::object(), 2);
  Explorer({.study = study, .rule = bracket_rule({{2, 2}, {1, 2}})}).run();
}

// Its first round is Hyperband.
TEST(ExploredSchedulers, DehbAtFirst) {
  SmallStudy study = small("dehb", Json::object(), 2);
  study.trials = 4;
  --study.troubles;
  Explorer({.study = study, .rule = bracket_rule({{2, 2}, {1, 2}})}).run();
}

// In each later round every rung has trials of its own, as many as Hyperband has there, and nobody
// goes on: the paper's offspring, whose parents are on the rung below (Awad et al. 2021, figure 1).
TEST(ExploredSchedulers, DehbLater) {
  SmallStudy study = small("dehb", Json::object(), 2);
  study.trials = 8;
  study.slots = 1;
  study.troubles = 0;
  Explorer({.study = study, .rule = bracket_rule({{2, 2, 2, 1, 2}, {1, 2, 1, 2, 2}, 2})}).run();
}

}  // namespace
}  // namespace betatune
