// Every state that a small study can come to under a scheduler, whatever order things happen in:
// asking, reports, the end of attempts, failures of both kinds, lost workers, damaged checkpoints,
// a killed optimizer, a person who stops a trial. BETATUNE_LONG_TESTS=1 explores more trouble.

#include <cstdlib>
#include <gtest/gtest.h>

#include "tests/support/study_explorer.hpp"

namespace betatune {
namespace {

using support::Answer;
using support::ExploredStudy;
using support::Explorer;
using support::fidelity_spec;
using support::Happening;
using support::Rule;
using support::SmallStudy;
using support::text_of;

bool is_long() {
  return std::getenv("BETATUNE_LONG_TESTS") != nullptr;
}

/// A study of rungs 1, 2 and 4, or the first two of them, eta 2.
SmallStudy small(const std::string& scheduler, Json options = Json::object(), Step max = 4) {
  SmallStudy study;
  if (scheduler != "pbt" && scheduler != "fifo") options["eta"] = 2;
  study.spec = fidelity_spec(1, max, scheduler, options);
  study.levels = rung_levels(1, max, 2);
  study.troubles = is_long() ? 2 : 1;
  // To a scheduler, a trial that fails has failed, whatever it was.
  if (!is_long()) std::erase(study.happenings, Happening::fail);
  return study;
}

bool is_open(const ExploredStudy& it, TrialId trial, Step level) {
  const Trial& row = it.state().trials[trial];
  return row.state == TrialState::paused && row.until == level;
}

/// The best trial that waits at a level, if it is among the best 1/2 of all that came there.
std::optional<TrialId> best_of_top(const ExploredStudy& it, Step level) {
  const std::vector<TrialId> all = it.ledger().ranking(level);
  for (std::size_t place = 0; place < all.size() / 2; ++place) {
    if (is_open(it, all[place], level)) return all[place];
  }
  return std::nullopt;
}

/// How many of a level's results have gone on.
std::size_t gone_on(const ExploredStudy& it, Step level) {
  return static_cast<std::size_t>(
      std::ranges::count_if(it.ledger().ranking(level),
                            [&](TrialId trial) { return it.state().trials[trial].until > level; }));
}

/// Who goes to the end when the budget is used and nobody was trained there: the best of the
/// highest rung.
std::string broken_by_finish(const ExploredStudy& it, const Resume& resume) {
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
Rule halving_rule(std::size_t top, bool delayed = false) {
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

/// Synchronous brackets: `sizes[i]` trials begin at level `firsts[i]`, in turn.
struct BracketTable {
  std::vector<std::size_t> sizes;
  std::vector<Step> firsts;
};

/// Of the trials of a bracket that began with at least one, in the order of their beginning.
std::vector<TrialId> bracket_of(const ExploredStudy& it, const BracketTable& table, TrialId trial,
                                bool& is_full) {
  const std::vector<TrialId>& begun = it.ledger().begun;
  std::size_t from = 0;
  for (std::size_t i = 0; from < begun.size(); ++i) {
    const std::size_t size = table.sizes[i % table.sizes.size()];
    const std::size_t to = std::min(begun.size(), from + size);
    const std::span members = std::span(begun).subspan(from, to - from);
    is_full = members.size() == size;
    if (std::ranges::find(members, trial) != members.end()) return {members.begin(), members.end()};
    from = to;
  }
  return {};
}

Rule bracket_rule(BracketTable table) {
  return [=](const ExploredStudy& it, const Answer& answer, bool may_start) -> std::string {
    const auto* resume = answer ? std::get_if<Resume>(&*answer) : nullptr;
    if (resume == nullptr) return {};
    bool is_full = false;
    const std::vector<TrialId> members = bracket_of(it, table, resume->trial, is_full);
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

/// The worst half of the results at a level, rounded down.
bool is_worst(const ExploredStudy& it, TrialId trial, Step level) {
  const std::vector<TrialId> all = it.ledger().ranking(level);
  return std::ranges::find(all, trial) - all.begin() >= std::ssize(all) - std::ssize(all) / 2;
}

/// Whom a copy in place of a trial may have for its parent: of those that are not among the worst,
/// the best who live and have a checkpoint of a rung that nobody found damaged.
std::vector<TrialId> parents_at(const ExploredStudy& it, Step level, TrialId replaced) {
  const std::vector<TrialId> all = it.ledger().ranking(level);
  std::vector<TrialId> parents;
  for (const TrialId id : all) {
    const Trial& trial = it.state().trials[id];
    if (is_worst(it, id, level) || parents.size() == std::max<std::size_t>(all.size() / 2, 1))
      break;
    if (id == replaced || trial.state == TrialState::closed || !trial.rung_checkpoint()) continue;
    parents.push_back(id);
  }
  return parents;
}

std::string broken_by_copy(const ExploredStudy& it, const Exploit& copy) {
  const Trial& replaced = it.state().trials[*copy.parent.replaces];
  const Step level = copy.note.at("compared_at").get<Step>();
  const std::vector<TrialId> parents = parents_at(it, level, replaced.id);
  if (std::ranges::find(parents, copy.parent.trial) == parents.end()) return "copies not the best";
  if (it.state().trials[copy.parent.trial].rung_checkpoint()->step != copy.parent.step) {
    return "copies an older checkpoint";
  }
  if (replaced.replaced_by) return "replaces one twice";
  if (replaced.state == TrialState::closed) return "";
  return is_worst(it, replaced.id, level) ? "" : "replaces who is not among the worst";
}

constexpr std::int64_t kPopulation = 2;

/// A population of two: who is among the worst half is replaced where there is somebody to copy.
std::string population_rule(const ExploredStudy& it, const Answer& answer, bool may_start) {
  const StudyState& state = it.state();
  const auto completed = std::ranges::count(state.trials, Outcome::completed, &Trial::outcome);
  const auto open = std::ranges::count_if(
      state.trials, [](const Trial& trial) { return trial.state != TrialState::closed; });
  if (!answer) {
    if (!state.paused.empty()) return "leaves one behind for ever";
    return it.is_idle() && may_start && completed < kPopulation ? "ends with places empty" : "";
  }
  if (std::holds_alternative<StartNew>(*answer)) {
    return open + completed < kPopulation ? "" : "starts more than the population";
  }
  if (may_start && text_of(it.scheduler().next_unsearched(state)) != text_of(answer)) {
    return "goes on with somebody else where the searcher has nothing new";
  }
  if (const auto* copy = std::get_if<Exploit>(&*answer)) return broken_by_copy(it, *copy);
  const TrialId next = std::get<Resume>(*answer).trial;
  const Step level = state.trials[next].until;
  for (const TrialId other : state.paused) {
    if (state.trials[other].until < level) return "leaves one behind";
  }
  const bool copies = may_start && is_worst(it, next, level);
  return copies && !parents_at(it, level, next).empty() ? "goes on with one of the worst" : "";
}

const Rule kAnything = [](const ExploredStudy&, const Answer&, bool) { return std::string(); };

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

TEST(ExploredSchedulers, Dehb) {
  SmallStudy study = small("dehb", Json::object(), 2);
  study.trials = 4;
  --study.troubles;
  Explorer({.study = study, .rule = kAnything}).run();
}

/// A population of two that is compared at every multiple of the interval.
SmallStudy population(Step interval, std::vector<Step> levels) {
  SmallStudy study =
      small("pbt", {{"population", kPopulation}, {"quantile", 0.5}, {"interval", interval}},
            levels.back());
  study.levels = std::move(levels);
  return study;
}

void explore_population(SmallStudy study) {
  Explorer({.study = std::move(study),
            .rule = population_rule,
            .memory = {.of_order = true},
            .always_busy = false,
            .trains_fully = false})
      .run();
}

TEST(ExploredSchedulers, PopulationBasedTraining) {
  explore_population(population(2, {2, 4}));
}

// Copies of copies, and checkpoints that fall back to those of an earlier rung.
TEST(ExploredSchedulers, PopulationBasedTrainingWithTwoCopies) {
  SmallStudy study = population(1, {1, 2, 3});
  study.trials = 4;
  study.slots = 1;
  explore_population(std::move(study));
}

TEST(ExploredSchedulers, FreezeThaw) {
  SmallStudy study = small("freeze-thaw");
  study.slots = is_long() ? 2 : 1;
  study.troubles = 1;
  Explorer({.study = study, .rule = kAnything, .memory = {.of_attempts = true}}).run();
}

TEST(ExploredSchedulers, MedianStoppingAndFifo) {
  for (const char* name : {"fifo", "median-stopping"}) {
    SmallStudy study = small("fifo");
    study.spec = fidelity_spec(1, 4, name);
    study.levels = {2, 4};
    study.trials = is_long() ? 3 : 2;
    study.troubles = 1;
    Explorer({.study = study, .rule = kAnything, .trains_fully = false}).run();
  }
}

}  // namespace
}  // namespace betatune
