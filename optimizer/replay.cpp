#include "optimizer/replay.hpp"

#include <fmt/format.h>
#include <limits>

#include "optimizer/hash.hpp"
#include "optimizer/plan.hpp"
#include "optimizer/scheduler.hpp"

namespace betatune {
namespace {

constexpr std::size_t kEventsPerRead = 10'000;
/// More than any optimizer asks for at once: a larger number is damage, and must not be obeyed.
constexpr int kLargestCount = 1'000'000;

Error damaged(const TrialCreated& fact, const char* what) {
  return Error{ErrorKind::corrupt, fmt::format("trial {}: its plan {}", fact.trial.n, what)};
}

bool same_question(const PlanBasis& a, const PlanBasis& b) {
  return a.count == b.count && a.trials == b.trials;
}

}  // namespace

Status PlanLedger::add(const Event& event) {
  events = event.seq;
  if (const auto* created = std::get_if<StudyCreated>(&event.fact)) build = created->build;
  if (const auto* started = std::get_if<OptimizerStarted>(&event.fact)) build = started->build;
  const auto* fact = std::get_if<TrialCreated>(&event.fact);
  if (fact == nullptr) return Ok{};
  if (!fact->plan) {
    ++by_hand[fact->origin];
    return Ok{};
  }
  if (!fact->basis) {
    ++unrecorded[fact->origin];
    return Ok{};
  }
  const PlanBasis& basis = *fact->basis;
  if (basis.seq == 0 || basis.seq >= event.seq) return damaged(*fact, "knew what came after it");
  if (basis.count < 1 || basis.count > kLargestCount) return damaged(*fact, "has no sensible size");
  LoggedPlan& plan = plans[{basis.seq, *fact->plan}];
  if (plan.trials.empty()) {
    plan.plan = *fact->plan;
    plan.basis = basis;
  } else if (!same_question(plan.basis, basis)) {
    return damaged(*fact, "is another than that of an earlier trial");
  }
  plan.trials.push_back(*fact);
  ++suggested[fact->origin];
  return Ok{};
}

Result<std::shared_ptr<const StudySpec>> spec_of_document(const Json& document) {
  Diagnostics diagnostics;
  auto spec = std::make_shared<StudySpec>(
      read_study(ConfigNode::from_json(document, "the recorded study file"), ".", diagnostics));
  if (diagnostics.ok()) return std::shared_ptr<const StudySpec>(std::move(spec));
  return Error{ErrorKind::invalid_argument,
               "this version cannot read the recorded study file:\n" + diagnostics.render(false)};
}

Status PlanReplay::apply(const Event& event) {
  BETATUNE_CHECK(betatune::apply(state_, event));
  if (const auto* created = std::get_if<TrialCreated>(&event.fact)) {
    seen_.insert(Hasher().add(created->configuration).value());
  } else if (const auto* enqueued = std::get_if<ConfigurationEnqueued>(&event.fact)) {
    seen_.insert(Hasher().add(enqueued->configuration).value());
  } else if (std::holds_alternative<OptimizerStarted>(event.fact)) {
    in_hand_.clear();  // what was in the memory of the process before is gone
  } else if (std::holds_alternative<StudyCreated>(event.fact) ||
             std::holds_alternative<DocumentChanged>(event.fact)) {
    spec_.reset();
  }
  return Ok{};
}

bool PlanReplay::is_seen(const Configuration& configuration) const {
  return seen_.contains(Hasher().add(configuration).value());
}

Status PlanReplay::prepare() {
  if (spec_ != nullptr) return Ok{};
  BETATUNE_TRY(auto spec, spec_of_(state_.document));
  if (!spec->study.seed) {  // the optimizer does the same
    auto seeded = std::make_shared<StudySpec>(*spec);
    seeded->study.seed = state_.seed;
    spec = std::move(seeded);
  }
  Diagnostics diagnostics;
  searcher_ = make_searcher(*spec, diagnostics);
  if (searcher_ == nullptr || !diagnostics.ok()) {
    return Error{ErrorKind::invalid_argument,
                 "the recorded searcher cannot be made:\n" + diagnostics.render(false)};
  }
  spec_ = std::move(spec);
  return Ok{};
}

/// As the coordinator has it. What it had in hand and has dropped since, because it became a trial
/// in another way, stays here: it is spoken for either way.
std::vector<Configuration> PlanReplay::spoken_for() const {
  std::vector<Configuration> all(state_.enqueued.begin(), state_.enqueued.end());
  for (const Configuration& point : initial_points(*spec_)) {
    if (!is_seen(point)) all.push_back(point);
  }
  for (const Configuration& each : in_hand_) {
    if (!is_seen(each)) all.push_back(each);
  }
  return all;
}

Status PlanReplay::at(const LoggedPlan& plan, const std::function<void(const ReplayedPlan&)>& see) {
  BETATUNE_ASSERT(state_.seq == plan.basis.seq);
  BETATUNE_CHECK(prepare());
  History history{spec_, state_.trials, {}, state_.seq, state_.earlier};
  if (!plan.basis.trials) {
    history.queued = spoken_for();
  } else if (*plan.basis.trials <= state_.trials.size()) {
    history.trials = state_.trials.prefix(static_cast<std::size_t>(*plan.basis.trials));
  } else {
    return damaged(plan.trials.front(), "knew more trials than there were");
  }
  see(ReplayedPlan{plan, history, *searcher_, plan_key(state_.seed, plan.plan)});
  return Ok{};
}

void PlanReplay::answered(const std::vector<Suggestion>& answers) {
  for (const Suggestion& each : answers) {
    if (spec_->space.check(each.configuration)) in_hand_.push_back(each.configuration);
  }
}

Status PlanReplay::now(const std::function<void(const History&, const Searcher&)>& see) {
  BETATUNE_CHECK(prepare());
  see(History{spec_, state_.trials, spoken_for(), state_.seq, state_.earlier}, *searcher_);
  return Ok{};
}

Status for_each_event(const StudyStore& store, Sequence last,
                      const std::function<Status(const Event&)>& each) {
  for (Sequence after = 0; after < last;) {
    BETATUNE_TRY(const std::vector<Event> events, store.read(after, kEventsPerRead));
    if (events.empty()) return Ok{};
    for (const Event& event : events) {
      if (event.seq > last) return Ok{};
      if (Status taken = each(event); !taken) return taken;
      after = event.seq;
    }
  }
  return Ok{};
}

Result<PlanLedger> read_plans(const StudyStore& store) {
  PlanLedger ledger;
  BETATUNE_CHECK(for_each_event(store, std::numeric_limits<Sequence>::max(),
                                [&](const Event& event) { return ledger.add(event); }));
  return ledger;
}

}  // namespace betatune
