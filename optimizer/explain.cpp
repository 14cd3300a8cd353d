#include "optimizer/explain.hpp"

#include <fmt/format.h>
#include <limits>

#include "optimizer/model_view.hpp"
#include "optimizer/scheduler_replay.hpp"

namespace betatune {
namespace {

constexpr Sequence kAll = std::numeric_limits<Sequence>::max();

/// What the log says of one trial.
struct Found {
  std::optional<TrialCreated> created;
  Sequence created_at = 0;
  std::size_t trials = 0;  ///< of the study
  std::optional<double> loss;
};

Result<Found> find(const StudyStore& store, TrialId trial) {
  Found out;
  StudyState state;
  BETATUNE_CHECK(for_each_event(store, kAll, [&](const Event& event) {
    const auto* created = std::get_if<TrialCreated>(&event.fact);
    if (created != nullptr && created->trial == trial) {
      out.created = *created;
      out.created_at = event.seq;
    }
    return apply(state, event);
  }));
  out.trials = state.trials.size();
  if (out.created) {
    out.loss = state.trials[trial].loss;
    return out;
  }
  return Error{ErrorKind::invalid_argument,
               out.trials == 0 ? fmt::format("{} has no trials yet", state.name)
                               : fmt::format("{} has no trial {}; its trials are 0 to {}",
                                             state.name, trial.n, out.trials - 1)};
}

void describe_study(const StudyState& state, Explanation& out) {
  out.seq = state.seq;
  out.trials = state.trials.size();
  out.best = state.best;
  if (state.best) out.best_loss = state.trials[*state.best].standing->loss;
  for (const Trial& trial : state.trials) {
    const bool open = trial.state == TrialState::created || trial.state == TrialState::running;
    if (open) out.pending.push_back(trial.id);
  }
}

/// Of the scheduler, after the events up to `until`.
Result<std::string> outlook_at(const StudyStore& store, Sequence until,
                               const SpecOfDocument& spec_of) {
  SchedulerReplay replay(store, spec_of);
  const Status read =
      for_each_event(store, until, [&](const Event& event) { return replay.take(event); });
  // One that this version cannot make: everything else can be explained.
  if (!read && read.error().kind == ErrorKind::invalid_argument) return std::string();
  BETATUNE_CHECK(read);
  return replay.scheduler()->outlook(replay.state());
}

}  // namespace

Result<Explanation> explain(const StudyStore& store, TrialId trial, const SpecOfDocument& spec_of) {
  BETATUNE_TRY(Found found, find(store, trial));
  Explanation out;
  out.created = std::move(*found.created);
  out.loss = found.loss;
  out.recorded = !out.created.plan || out.created.basis.has_value();
  // The ledger has checked nothing here, so that a plan of nonsense must be refused by itself.
  PlanLedger ledger;
  BETATUNE_CHECK(ledger.add(Event{found.created_at, 0, out.created}));

  const Sequence until = out.created.basis ? out.created.basis->seq : found.created_at - 1;
  PlanReplay replay(spec_of);
  BETATUNE_CHECK(
      for_each_event(store, until, [&](const Event& event) { return replay.apply(event); }));
  describe_study(replay.state(), out);
  BETATUNE_CHECK(replay.now([&](const History& history, const Searcher&) {
    out.searcher = searcher_name(*history.spec);
  }));
  BETATUNE_TRY(out.outlook, outlook_at(store, found.created_at - 1, spec_of));
  if (ledger.plans.empty()) return out;
  BETATUNE_CHECK(replay.at(ledger.plans.begin()->second, [&](const ReplayedPlan& plan) {
    if (plan.searcher.asks_ahead()) return;  // no model, and its answers need those before them
    const std::vector<Suggestion> answers = plan.answer();
    const auto index = static_cast<std::size_t>(out.created.basis->index);
    if (index < answers.size()) out.model = view_model(plan, answers, index);
  }));
  return out;
}

}  // namespace betatune
