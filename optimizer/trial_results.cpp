#include "optimizer/trial_results.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace betatune {

void observe(Trial& trial, const Reported& fact, std::int64_t at_us) {
  auto at = std::lower_bound(trial.observations.begin(), trial.observations.end(), fact.step,
                             [](const Observation& each, Step step) { return each.step < step; });
  if (at == trial.observations.end() || at->step != fact.step) {
    at = trial.observations.insert(at, Observation{fact.step, fact.attempt, {}, false, 0});
  }
  at->attempt = fact.attempt;
  at->at_us = at_us;
  at->outcomes = trial.outcomes;
  // Other metrics of the same step, reported apart from the objective, do not take it away.
  if (fact.loss || fact.diverged) {
    at->loss = fact.loss;
    at->diverged = fact.diverged;
  }
  if (fact.loss && (!trial.loss || fact.step >= trial.loss_step)) {
    trial.loss = fact.loss;
    trial.loss_step = fact.step;
  }
}

void measure_rate(StudyState& state, const Trial& trial, const Reported& fact) {
  if (trial.ranks == 0) return;
  const auto rate = fact.metrics.find(kRateMetric);
  if (rate == fact.metrics.end()) return;
  state.rates.report(trial.id, trial.ranks, fact.step - trial.step, rate->second);
}

void judge(Trial& trial, const Outcomes& outcomes) {
  if (outcomes.empty()) return;
  trial.outcomes = outcomes.read(trial.watched);
  trial.violation = outcomes.violation(trial.outcomes);
}

void judge_again(StudyState& state) {
  for (std::uint64_t n = 0; n < state.trials.size(); ++n) {
    Trial& trial = state.trials.edit(TrialId{n});
    const Metrics known = std::exchange(trial.watched, {});
    trial.outcomes.clear();
    trial.violation = 0;
    state.outcomes.remember(known, trial.watched);
    state.outcomes.remember(trial.last_metrics, trial.watched);
    judge(trial, state.outcomes);
    for (Observation& each : trial.observations) {
      each.outcomes.assign(trial.outcomes.size(), std::nan(""));
    }
    if (!trial.observations.empty()) trial.observations.back().outcomes = trial.outcomes;
  }
}

}  // namespace betatune
