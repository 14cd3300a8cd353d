// Schedulers that ask a model or a median, in every state that a small study can come to: see
// explored_schedulers_test.cpp.

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
using support::Rule;
using support::small;
using support::SmallStudy;
using support::text_of;

/// What the model says of each paused trial.
std::map<TrialId, ModelBasis> beliefs(const ExploredStudy& it) {
  std::map<TrialId, ModelBasis> all;
  for (const TrialId id : it.state().paused) {
    const DecisionBasis basis = it.scheduler().basis(it.state(), it.state().trials[id]);
    if (const auto* model = std::get_if<ModelBasis>(&basis)) all.emplace(id, *model);
  }
  return all;
}

/// One thing at a time gets what it promises for its price: the paused trial that promises most, or
/// a new one if that promises more (the choice between old and new of Swersky et al. 2014). Where
/// the model has nothing to say, asynchronous halving.
std::string freeze_thaw_rule(const ExploredStudy& it, const Answer& answer, bool may_start) {
  const auto known = beliefs(it);
  if (known.empty() || !may_start) {
    const std::string broken = halving_rule(2)(it, answer, may_start);
    return known.empty() ? broken : "";
  }
  const auto best =
      std::ranges::max_element(known, {}, [](const auto& each) { return each.second.log_worth; });
  if (best->second.log_worth_new >= best->second.log_worth) {
    return std::holds_alternative<StartNew>(*answer) ? ""
                                                     : "trains who promises less than new ones";
  }
  const auto* resume = std::get_if<Resume>(&*answer);
  return resume && resume->trial == best->first ? "" : "passes over who promises most";
}

TEST(ExploredSchedulers, FreezeThaw) {
  SmallStudy study = small("freeze-thaw", {{"ladder", 0.25}});
  study.slots = is_long() ? 2 : 1;
  study.trials = 4;
  study.troubles = is_long() ? 1 : 0;
  std::size_t modelled = 0;
  const Rule rule = [&](const ExploredStudy& it, const Answer& answer, bool may_start) {
    if (may_start && !beliefs(it).empty()) ++modelled;
    return freeze_thaw_rule(it, answer, may_start);
  };
  Explorer({.study = study, .rule = rule, .memory = {.of_attempts = true}}).run();
  EXPECT_GT(modelled, 0u);
}

/// Every trial is trained to the end, as long as there is a budget.
std::string whole_training_rule(const ExploredStudy& it, const Answer& answer, bool may_start) {
  const Answer whole = may_start ? Answer(StartNew{it.state().full_budget}) : std::nullopt;
  return text_of(answer) == text_of(whole) ? "" : "does not train new trials, or not to the end";
}

TEST(ExploredSchedulers, Fifo) {
  SmallStudy study = small("fifo");
  study.spec = fidelity_spec(1, 4, "fifo");
  study.levels = {2, 4};
  study.trials = is_long() ? 3 : 2;
  study.troubles = 1;
  const auto after = [](const ExploredStudy& it) -> std::string {
    for (const Fact& fact : it.news()) {
      if (std::holds_alternative<Decided>(fact)) return "stops a trial";
    }
    return {};
  };
  Explorer({.study = study, .rule = whole_training_rule, .after = after}).run();
}

/// Averages, up to the step, of the trials that have ended and did not fail.
std::vector<double> averages_up_to(const ExploredStudy& it, Step step) {
  std::vector<double> all;
  for (const Trial& trial : it.state().trials) {
    const bool ended = trial.outcome == Outcome::completed || trial.outcome == Outcome::stopped;
    double sum = 0, count = 0;
    for (const Observation& each : trial.observations) {
      if (each.step <= step && each.loss) sum += *each.loss, ++count;
    }
    if (ended && count > 0) all.push_back(sum / count);
  }
  std::ranges::sort(all);
  return all;
}

bool any_ended_reported(const ExploredStudy& it, Step step) {
  return std::ranges::any_of(it.state().trials, [&](const Trial& trial) {
    const bool ended = trial.outcome == Outcome::completed || trial.outcome == Outcome::stopped;
    return ended && trial.loss_at(step);
  });
}

/// A trial is stopped where its best is strictly worse than the median (Golovin et al. 2017).
std::string broken_by_median(const ExploredStudy& it, std::size_t min_trials) {
  for (const Fact& fact : it.news()) {
    const auto* reported = std::get_if<Reported>(&fact);
    if (reported == nullptr || !reported->loss) continue;
    const Trial& trial = it.state().trials[reported->trial];
    if (reported->step >= trial.until) continue;
    const std::vector<double> others = averages_up_to(it, reported->step);
    double best = *reported->loss;
    for (const Observation& each : trial.observations) {
      if (each.step <= reported->step && each.loss) best = std::min(best, *each.loss);
    }
    const std::size_t half = others.size() / 2;
    const bool stops =
        others.size() >= min_trials && any_ended_reported(it, reported->step) &&
        best > (others.size() % 2 == 1 ? others[half] : (others[half - 1] + others[half]) / 2);
    if (stops != trial.decided.has_value())
      return "stops one that is no worse, or leaves a bad one";
  }
  return {};
}

TEST(ExploredSchedulers, MedianStopping) {
  for (const int min_trials : {1, 2}) {
    SmallStudy study = small("fifo");
    study.spec = fidelity_spec(1, 4, "median-stopping", {{"min_trials", min_trials}});
    study.levels = {2, 4};
    study.losses = {0, 1, 2};  // a median may lie between the best and the worst
    study.trials = 3;
    study.slots = is_long() ? 2 : 1;
    study.troubles = 1;
    Explorer({.study = study,
              .rule = whole_training_rule,
              .after =
                  [=](const auto& it) {
                    return broken_by_median(it, static_cast<std::size_t>(min_trials));
                  },
              .trains_fully = false})
        .run();
  }
}

}  // namespace
}  // namespace betatune
