#include "optimizer/what_if.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <set>
#include <utility>

#include "optimizer/cost_ledger.hpp"
#include "optimizer/replay.hpp"
#include "optimizer/width_choice.hpp"

namespace betatune {
namespace {

/// An attempt that has just ended.
AttemptCost cost_of(const StudyState& state, const Trial& trial, bool succeeded) {
  const std::int64_t work_us = state.active_us - trial.began_us;
  return {trial.id.n,
          trial.trainer,
          trial.origin,
          trial.from,
          trial.until,
          trial.from + trial.trained,
          static_cast<double>(work_us) / 1e6,
          succeeded};
}

/// What each trial reported, step by step, of the metrics that decisions take.
using ReportedOutcomes = std::map<TrialId, std::map<Step, Metrics>>;

/// Times of chosen widths become those of the narrowest, by the scaling that the study has seen.
CostLedger costs_of(const std::vector<std::pair<AttemptCost, int>>& attempts, const StudySpec& spec,
                    const WidthRates& rates) {
  CostLedger costs(CostBy::trial, 1);
  std::optional<ScalingCurve> curve;
  if (spec.resources.widths) curve.emplace(*spec.resources.widths, rates);
  for (auto [cost, ranks] : attempts) {
    if (curve && ranks > 0) cost.seconds *= curve->speedup(ranks);
    costs.add(cost);
  }
  return costs;
}

RecordedTrial recorded(const Trial& trial, const CostLedger& costs, ReportedOutcomes& reported) {
  RecordedTrial made;
  made.configuration = *trial.configuration;
  for (const Observation& each : trial.observations) {
    if (each.loss) made.losses.emplace(each.step, *each.loss);
  }
  made.outcomes = std::move(reported[trial.id]);
  made.seconds_per_step = costs.seconds_per_step(trial.id.n);
  made.failed = trial.outcome == Outcome::failed;
  return made;
}

/// Plays the log of a study that never was.
class Play {
 public:
  Play(const RecordedStudy& study, std::unique_ptr<Scheduler> scheduler, int workers,
       const std::optional<WhatIfGangs>& gangs)
      : study_(study), scheduler_(std::move(scheduler)), workers_(workers), gangs_(gangs) {}

  Result<WhatIf> run() {
    BETATUNE_CHECK(emit(StudyCreated{kLogSchema, "what-if", study_.spec->document, 0, ""}));
    BETATUNE_CHECK(emit(OptimizerStarted{1, ""}));
    for (;;) {
      BETATUNE_CHECK(fill());
      if (due_.empty()) break;
      const Due next = due_.top();
      due_.pop();
      now_ = next.at;
      BETATUNE_CHECK(train(next.trial));
    }
    out_.seconds = now_;
    out_.beyond = static_cast<int>(beyond_.size());
    for (const Trial& trial : state_.trials) {
      out_.full += trial.outcome == Outcome::completed ? 1 : 0;
    }
    if (study_.spec->objectives.size() > 1) measure_front();
    return out_;
  }

 private:
  struct Due {
    double at = 0;
    std::uint64_t order = 0;
    TrialId trial;
    bool operator>(const Due& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  const RecordedTrial& of(TrialId trial) const { return study_.trials[trial.n]; }

  Status emit(Fact fact) {
    // The clock of the log: what is priced in seconds is so here, too.
    const auto at_us = static_cast<std::int64_t>(std::llround(now_ * 1e6));
    const Event event{state_.seq + 1, at_us, std::move(fact)};
    BETATUNE_CHECK(apply(state_, event));
    scheduler_->observe(state_, event);
    if (!state_.best || study_.spec->objectives.size() > 1) return Ok{};
    const Standing& best = *state_.trials[*state_.best].standing;
    if (out_.best == best) return Ok{};
    out_.best = best;
    out_.best_seconds = now_;
    return Ok{};
  }

  void measure_front() {
    const std::vector<TrialId> members = front_trials(state_);
    out_.front = members.size();
    if (study_.reference.size() == 0) return;
    RowMatrix points(std::ssize(members), study_.reference.size());
    for (Eigen::Index i = 0; i < points.rows(); ++i) {
      const Trial& trial = state_.trials[members[static_cast<std::size_t>(i)]];
      const std::vector<double> losses = state_.outcomes.losses(*trial.loss, trial.outcomes);
      points.row(i) = Eigen::Map<const Eigen::RowVectorXd>(losses.data(), std::ssize(losses));
    }
    out_.hypervolume = hypervolume(points, study_.reference);
  }

  const WidthsSpec* widths() const { return gangs_ && gangs_->widths ? &*gangs_->widths : nullptr; }

  int fewest_workers() const {
    if (!gangs_) return 1;
    return widths() != nullptr ? widths()->narrowest() : gangs_->ranks;
  }

  /// What the coordinator would choose for an attempt that goes so far.
  std::optional<ChosenWidth> width_for(Step until) const {
    if (!gangs_) return std::nullopt;
    const int free = workers_ - taken_;
    if (widths() == nullptr) return ChosenWidth{gangs_->ranks, free};
    const ScalingCurve curve(*widths(), state_.rates);
    const std::vector<Step> levels = scheduler_->rungs().levels;
    return ChosenWidth{choose_width(*widths(), curve, {until, levels, free}), free};
  }

  double step_seconds(TrialId id) const {
    const double recorded = of(id).seconds_per_step;
    if (!gangs_) return recorded;
    const ScalingFit& scaling = gangs_->scaling;
    return recorded * scaling.time(state_.trials[id].slots()) / scaling.time(study_.ranks);
  }

  Status fill() {
    while (workers_ - taken_ >= fewest_workers()) {
      const bool may_start = state_.trials.size() < study_.trials.size();
      const auto next = scheduler_->next(state_, may_start);
      if (!next) return Ok{};
      if (const auto* resume = std::get_if<Resume>(&*next)) {
        BETATUNE_CHECK(start(resume->trial, resume->until));
        continue;
      }
      BETATUNE_ASSERT(std::holds_alternative<StartNew>(*next));
      const TrialId id{state_.trials.size()};
      BETATUNE_CHECK(emit(TrialCreated{id, of(id).configuration, "recorded", {}, {}}));
      BETATUNE_CHECK(start(id, std::get<StartNew>(*next).until));
    }
    return Ok{};
  }

  Status start(TrialId id, Step until) {
    const Trial& trial = state_.trials[id];
    const bool resumes = study_.spec->fidelity->resumable && trial.step > 0;
    std::optional<ArtifactRef> checkpoint;
    if (resumes) checkpoint = ArtifactRef{"recorded", trial.step, 0};
    const Step from = resumes ? trial.step : 0;
    BETATUNE_CHECK(emit(AttemptStarted{id, AttemptId{trial.attempt.n + 1}, "w", from, until,
                                       checkpoint, width_for(until)}));
    taken_ += state_.trials[id].slots();
    plan_step(id);
    return Ok{};
  }

  void plan_step(TrialId id) { due_.push({now_ + step_seconds(id), order_++, id}); }

  Status end(TrialId id, AttemptEnd how, Step step, std::optional<FailureClass> failure = {}) {
    taken_ -= state_.trials[id].slots();
    return emit(AttemptEnded{id, state_.trials[id].attempt, how, step, failure, "", true});
  }

  /// The trial's next step is over.
  Status train(TrialId id) {
    const Trial& trial = state_.trials[id];
    const Step step = trial.step + 1;
    ++out_.steps;
    out_.busy_seconds += step_seconds(id) * trial.slots();
    const auto& losses = of(id).losses;
    const bool is_beyond = losses.empty() || step > losses.rbegin()->first;
    if (is_beyond && of(id).failed) return fail(id);
    if (is_beyond) beyond_.insert(id);
    // The newest loss that was recorded by this step: a trainer need not report at every one.
    const auto above = losses.upper_bound(step);
    std::optional<double> loss;
    if (above != losses.begin()) loss = std::prev(above)->second;
    // Of the other metrics the fold itself keeps the newest.
    const auto outcomes = of(id).outcomes.find(step);
    Metrics metrics = outcomes == of(id).outcomes.end() ? Metrics{} : outcomes->second;
    if (widths() != nullptr) metrics[kRateMetric] = 1 / step_seconds(id);
    Reported report{id, trial.attempt, trial.last_seq + 1, step, metrics, loss, false};
    BETATUNE_CHECK(emit(std::move(report)));
    return go_on(id, step);
  }

  Status go_on(TrialId id, Step step) {
    const Trial& trial = state_.trials[id];
    if (step >= trial.until) {
      BETATUNE_CHECK(end(id, AttemptEnd::reached, step));
      if (!scheduler_->completes(state_, state_.trials[id])) return Ok{};
      return emit(TrialClosed{id, Outcome::completed, state_.trials[id].loss});
    }
    const Verdict verdict = scheduler_->judge(state_, trial, trial.observations.back());
    if (verdict.action == Action::go_on) {
      plan_step(id);
      return Ok{};
    }
    const bool stops = verdict.action == Action::stop;
    BETATUNE_CHECK(emit(Decided{id, trial.attempt, verdict.action, step, "scheduler", ""}));
    BETATUNE_CHECK(end(id, stops ? AttemptEnd::stopped : AttemptEnd::paused, step));
    return stops ? emit(TrialClosed{id, Outcome::stopped, state_.trials[id].loss}) : Status(Ok{});
  }

  Status fail(TrialId id) {
    BETATUNE_CHECK(end(id, AttemptEnd::failed, state_.trials[id].step, FailureClass::user));
    return emit(TrialClosed{id, Outcome::failed, {}});
  }

  const RecordedStudy& study_;
  std::unique_ptr<Scheduler> scheduler_;
  int workers_;
  std::optional<WhatIfGangs> gangs_;
  int taken_ = 0;  ///< workers
  StudyState state_;
  double now_ = 0;
  std::uint64_t order_ = 0;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::set<TrialId> beyond_;
  WhatIf out_;
};

}  // namespace

Result<RecordedStudy> read_recorded(const StudyStore& store, Sequence last) {
  StudyState state;
  std::vector<std::pair<AttemptCost, int>> attempts;  // with the ranks that were chosen, or 0
  ReportedOutcomes reported;
  BETATUNE_CHECK(for_each_event(store, last, [&](const Event& event) {
    Status applied = apply(state, event);
    const auto* report = std::get_if<Reported>(&event.fact);
    if (applied && report != nullptr && !state.outcomes.empty()) {
      state.outcomes.remember(report->metrics, reported[report->trial][report->step]);
    }
    const auto* ended = std::get_if<AttemptEnded>(&event.fact);
    if (applied && ended != nullptr) {
      const Trial& trial = state.trials[ended->trial];
      attempts.emplace_back(cost_of(state, trial, !ended->failure), trial.ranks);
    }
    return applied;
  }));
  RecordedStudy study;
  BETATUNE_TRY(study.spec, spec_of_document(state.document));
  const ResourcesSpec& resources = study.spec->resources;
  study.ranks = resources.widths ? resources.widths->narrowest() : resources.world();
  if (!study.spec->fidelity) {
    return Error{ErrorKind::invalid_argument,
                 "the study has no `fidelity`: every scheduler trains its trials alike"};
  }
  const CostLedger costs = costs_of(attempts, *study.spec, state.rates);
  for (const Trial& trial : state.trials) {
    const bool says_something = trial.loss || trial.outcome == Outcome::failed;
    // Who began with another one's checkpoint was not trained from the start.
    if (says_something && !trial.repeats && !trial.parent)
      study.trials.push_back(recorded(trial, costs, reported));
  }
  if (study.spec->objectives.size() > 1) {
    study.reference = front_of(study.spec->objectives, state).reference;
  }
  if (!study.trials.empty()) return study;
  return Error{ErrorKind::invalid_argument, "the study has no trial that was trained"};
}

Result<WhatIf> what_if(const RecordedStudy& study, const std::string& scheduler, int workers,
                       const std::optional<WhatIfGangs>& gangs) {
  BETATUNE_ASSERT(workers >= 1);
  StudySpec spec = *study.spec;
  if (scheduler != scheduler_name(spec)) spec.algorithm.scheduler.options = ConfigNode();
  spec.algorithm.scheduler.name = scheduler;
  spec.resources.widths = gangs ? gangs->widths : std::nullopt;
  Diagnostics diagnostics;
  auto made = make_scheduler(spec, diagnostics);
  if (!made) {
    const Diagnostic& first = diagnostics.problems().front();
    return Error{ErrorKind::invalid_argument, first.message + "; " + first.help};
  }
  if (made->copies()) {
    return Error{ErrorKind::invalid_argument,
                 "scheduler `" + scheduler +
                     "` trains configurations of its own, of which the log knows nothing; run the "
                     "study with it"};
  }
  return Play(study, std::move(made), workers, gangs).run();
}

}  // namespace betatune
