// Populations in every state that they can come to: see explored_schedulers_test.cpp.

#include <gtest/gtest.h>

#include "tests/support/explored_rules.hpp"

namespace betatune {
namespace {

using support::Answer;
using support::ExploredStudy;
using support::Explorer;
using support::is_long;
using support::Rule;
using support::small;
using support::SmallStudy;
using support::text_of;

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
  const auto& wishes = it.state().enqueued;
  if (copy.enqueued == wishes.empty()) return "passes over what was asked for";
  if (copy.enqueued && copy.configuration != wishes.front()) return "copies with other values";
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
    if (may_start && !state.enqueued.empty()) return "leaves a free slot to nobody";
    return it.is_idle() && may_start && completed < kPopulation ? "ends with places empty" : "";
  }
  if (const auto* start = std::get_if<StartNew>(&*answer)) {
    if (open + completed < kPopulation) return start->replaces ? "replaces without need" : "";
    if (state.enqueued.empty()) return "starts more than the population";
    if (!start->replaces) return state.paused.empty() ? "" : "starts before its turn";
    const Trial& ends = state.trials[*start->replaces];
    return is_worst(it, ends.id, ends.until) ? "" : "replaces who is not among the worst";
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
  const bool any = !state.enqueued.empty() || !parents_at(it, level, next).empty();
  return copies && any ? "goes on with one of the worst" : "";
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

// Somebody asks for a configuration at any moment.
TEST(ExploredSchedulers, PopulationBasedTrainingWithAWish) {
  SmallStudy study = population(2, {2, 4});
  study.wish = Configuration{{"x", 0.77}};
  study.slots = is_long() ? 2 : 1;
  explore_population(std::move(study));
}

// Proposals by the model of gains: who is replaced, by a copy of whom, is as without it.
TEST(ExploredSchedulers, PopulationBasedBandits) {
  SmallStudy study = population(1, {1, 2, 3, 4, 5});
  study.spec.algorithm.scheduler.options = ConfigNode::from_json(
      Json{{"population", kPopulation}, {"quantile", 0.5}, {"interval", 1}, {"explore", "pb2"}},
      "study.yaml");
  study.trials = 5;
  study.slots = 1;
  study.troubles = is_long() ? 1 : 0;
  std::size_t proposed = 0;
  const Rule rule = [&](const ExploredStudy& it, const Answer& answer, bool may_start) {
    const auto* copy = answer ? std::get_if<Exploit>(&*answer) : nullptr;
    if (copy != nullptr && copy->note.at("pb2").contains("loss")) ++proposed;
    return population_rule(it, answer, may_start);
  };
  Explorer({.study = std::move(study),
            .rule = rule,
            .memory = {.of_order = true},
            .always_busy = false,
            .trains_fully = false})
      .run();
  EXPECT_GT(proposed, 0u);
}

}  // namespace
}  // namespace betatune
