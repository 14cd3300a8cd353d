/// What runs next and where, and where new configurations come from.
///
/// Plans and reproducibility. Plan n is drawn under key fold_in(fold_in(root(seed), "plan"), n),
/// and one plan is outstanding at a time. A model is asked when slots are free, for as many as are
/// free; a searcher that may be asked ahead always answers in blocks of kPlanBlock, so that its
/// answers do not depend on how many slots there happen to be. Only suggestions that became trials
/// are in the log. After a restart plan numbers go on behind the last one in the log; a block that
/// was used in part is asked for once more with the trials that were there before it, and what has
/// become a trial already is skipped. The same seed and the same order of completions therefore
/// give the same trials bit for bit, and a restart changes nothing for random, Sobol and grid
/// searches, nor for a model whose plans were used up (always so with one slot, and in ask-tell
/// without parallel asks).

#include <algorithm>

#include "optimizer/coordinator.hpp"
#include "optimizer/hash.hpp"
#include "optimizer/no_gain.hpp"
#include "optimizer/plan.hpp"
#include "optimizer/width_choice.hpp"
#include "searchspaces/log.hpp"

namespace betatune {
namespace {

constexpr int kPlanBlock = 32;
/// Suggestions kept in hand for each slot where the searcher may be asked ahead, and at least so
/// many.
constexpr int kAheadPerSlot = 2;
constexpr int kAheadMin = 8;
/// A searcher that gave nothing usable so often in a row has nothing left.
constexpr int kDryPlans = 3;

/// 53 bits, so that readers whose numbers are doubles get the same seed.
std::uint64_t trial_seed(std::uint64_t seed, TrialId id) {
  return Stream(fold_in(fold_in(root_key(seed), "trial"), id.n)).bits() >> 11;
}

std::int64_t milliseconds(const Duration& duration) {
  return static_cast<std::int64_t>(duration.seconds * 1e3);
}

}  // namespace

int Coordinator::free_slots(const TrainerEntry& trainer) const {
  if (trainer.leaving) return 0;
  const auto found = busy_.find(trainer.id);
  const int busy = found == busy_.end() ? 0 : found->second;
  // Credit is what the trainer knew when it said READY; what was assigned since is not in it.
  return std::min(trainer.credit, trainer.slots - busy);
}

/// Of the narrowest attempt.
int Coordinator::fewest_slots() const {
  return spec_->resources.widths ? spec_->resources.widths->narrowest() : 1;
}

/// Of a trainer that would wait in vain.
void Coordinator::note_size(const Hello& hello) const {
  if (hello.slots >= fewest_slots()) return;
  log().warn("trainer {} gets no work: it has {} slot{}, the narrowest trial takes {}",
             hello.trainer, hello.slots, hello.slots == 1 ? "" : "s", fewest_slots());
}

void Coordinator::refresh_free(const TrainerId& trainer) {
  const TrainerEntry* entry = roster_.find(trainer);
  if (entry != nullptr && free_slots(*entry) >= fewest_slots()) {
    free_.insert(trainer);
  } else {
    free_.erase(trainer);
  }
}

/// How many attempts could start now.
int Coordinator::startable() const {
  int attempts = 0;
  for (const TrainerId& id : free_) attempts += free_slots(roster_.all().at(id)) / fewest_slots();
  if (!spec_->trials.parallel) return attempts;
  return std::min(attempts, *spec_->trials.parallel - static_cast<int>(state_.running.size()));
}

bool Coordinator::trials_left() const {
  return !spec_->stopping.trials || state_.spent() < *spec_->stopping.trials;
}

bool Coordinator::budget_left() const {
  const auto& no_gain = spec_->stopping.no_gain;
  return trials_left() && !(no_gain && promises_no_gain(state_.trials, *no_gain));
}

void Coordinator::dispatch() {
  wants_suggestion_ = false;
  if (finished_ || ending_ || draining_) return;
  while (!free_.empty()) {
    const bool full = spec_->trials.parallel &&
                      static_cast<int>(state_.running.size()) >= *spec_->trials.parallel;
    if (full) break;
    const std::optional<Work> work = next_work();
    if (!work) break;
    begin_attempt(*work, place_for(*work));
  }
  request_plan();
}

std::optional<Coordinator::Work> Coordinator::next_work() {
  if (!state_.waiting.empty()) {
    const Trial& trial = state_.trials[*state_.waiting.begin()];
    // The study file may have made full training shorter since.
    if (trial.until > 0) return Work{trial.id, std::min(trial.until, spec_->full_budget())};
    return Work{trial.id, policies_.scheduler->first_goal(state_, trial)};
  }
  const bool has_new = suggestion_in_hand() || !exhausted_;
  const auto next = ask_scheduler(has_new);
  if (!next) return std::nullopt;
  if (const auto* resume = std::get_if<Resume>(&*next)) return Work{resume->trial, resume->until};
  if (const auto* exploit = std::get_if<Exploit>(&*next)) return copy_trial(*exploit);
  const auto& start = std::get<StartNew>(*next);
  // Before the new trial is there, so that the fold has an empty place for it.
  if (start.replaces) close_trial(*start.replaces, Outcome::stopped);
  const std::optional<TrialId> created = create_trial();
  if (!created) {
    wants_suggestion_ = true;
    return std::nullopt;
  }
  return Work{*created, start.until};
}

std::optional<Assignment> Coordinator::ask_scheduler(bool has_new) const {
  if (!budget_left()) return policies_.scheduler->next(state_, false);
  return has_new ? policies_.scheduler->next(state_, true)
                 : policies_.scheduler->next_unsearched(state_);
}

/// The new trial is in the log before the end of the one that it replaces: a log that is cut
/// between them still says that it has to end.
Coordinator::Work Coordinator::copy_trial(const Exploit& exploit) {
  TrialCreated fact;
  fact.configuration = exploit.configuration;
  fact.origin = exploit.enqueued ? kEnqueuedOrigin : kExploitOrigin;
  fact.note = exploit.note;
  fact.parent = exploit.parent;
  const TrialId id = create(std::move(fact));
  const std::optional<TrialId>& ends = exploit.parent.replaces;
  if (ends) settle(*ends);
  return Work{id, exploit.until};
}

/// Drops what has become a trial in another way (enqueued by hand) since it was put in the queue.
bool Coordinator::suggestion_in_hand() {
  const auto is_seen = [this](const Configuration& configuration) {
    return seen_.contains(Hasher().add(configuration).value());
  };
  while (!initial_.empty() && is_seen(initial_.front())) initial_.pop_front();
  while (!queue_.empty() && is_seen(queue_.front().suggestion.configuration)) queue_.pop_front();
  return !state_.enqueued.empty() || !initial_.empty() || !queue_.empty();
}

/// What a person asked for comes first: enqueued configurations, then the study file's points.
std::optional<TrialId> Coordinator::create_trial() {
  if (!suggestion_in_hand()) return std::nullopt;
  TrialCreated fact;
  if (!state_.enqueued.empty()) {
    fact.configuration = state_.enqueued.front();
    fact.origin = kEnqueuedOrigin;
  } else if (!initial_.empty()) {
    fact.configuration = std::move(initial_.front());
    fact.origin = "initial";
    initial_.pop_front();
  } else {
    Queued queued = std::move(queue_.front());
    queue_.pop_front();
    fact.configuration = std::move(queued.suggestion.configuration);
    fact.origin = std::move(queued.suggestion.origin);
    fact.note = std::move(queued.suggestion.note);
    fact.plan = queued.plan;
    fact.basis = queued.basis;
  }
  const TrialId id = create(std::move(fact));
  add_repeats(id);
  return id;
}

TrialId Coordinator::create(TrialCreated fact) {
  const TrialId id{state_.trials.size()};
  fact.trial = id;
  emit(std::move(fact));
  return id;
}

/// The trainer where it gets the most ranks, and of those the one with the fewest free slots, so
/// that there stays room for wide gangs. Precondition: free_ is not empty.
Coordinator::Place Coordinator::place_for(const Work& work) const {
  if (!spec_->resources.widths) return {*free_.begin(), std::nullopt};
  const WidthsSpec& widths = *spec_->resources.widths;
  const ScalingCurve curve(widths, state_.rates);
  const std::vector<Step> levels = policies_.scheduler->rungs().levels;
  Place best;
  for (const TrainerId& id : free_) {
    const int free = free_slots(roster_.all().at(id));
    const int ranks = choose_width(widths, curve, {work.until, levels, free});
    const bool better = !best.width || ranks > best.width->ranks ||
                        (ranks == best.width->ranks && free < best.width->free);
    if (better) best = {id, ChosenWidth{ranks, free}};
  }
  return best;
}

void Coordinator::begin_attempt(const Work& work, const Place& place) {
  TrainerEntry& trainer = *roster_.find(place.trainer);
  const Trial& trial = state_.trials[work.trial];
  AttemptStarted fact;
  fact.trial = work.trial;
  fact.attempt = AttemptId{trial.attempt.n + 1};
  fact.trainer = trainer.id;
  fact.until = work.until;
  fact.width = place.width;
  // A checkpoint at the end of the way leaves nothing to train that could be reported: start again.
  if (resumable() && trial.checkpoint && trial.checkpoint->step < work.until) {
    fact.checkpoint = trial.checkpoint;
    fact.from = trial.checkpoint->step;
  }
  trainer.credit -= place.width ? place.width->ranks : 1;
  emit(std::move(fact));
  send(trainer.peer, assignment_of(state_.trials[work.trial]));
}

/// Also for an ASSIGN that must be sent again: the same, whatever has been reported since.
Assign Coordinator::assignment_of(const Trial& trial) const {
  Assign assign;
  assign.trial = trial.id;
  assign.attempt = trial.attempt;
  assign.epoch = options_.epoch;
  assign.params = *trial.configuration;
  assign.from = trial.from;
  assign.until = trial.until;
  assign.resume_from = trial.resumed_from;
  assign.seed = trial_seed(state_.seed, trial.id);
  TrainerJob& job = assign.job;
  job.plugin = spec_->trainer.plugin.value_or("");
  job.command = spec_->trainer.command.value_or(std::vector<std::string>{});
  job.per_rank = spec_->trainer.command && spec_->trainer.has_ranks();
  job.config = spec_->trainer.config;
  const ResourcesSpec& resources = spec_->resources;
  const auto lost = trial.failures.find(FailureClass::infra);
  job.cpus = resources.cpus;
  job.ranks = resources.world(lost == trial.failures.end() ? 0 : lost->second);
  job.gpus = resources.gpus / resources.world() * job.ranks;
  if (trial.ranks > 0) {
    job.ranks = job.slots = trial.ranks;
    job.gpus = trial.gpus;
    job.cpus = std::max(1, resources.cpus / resources.world()) * trial.ranks;
  }
  job.rank_timeout_ms = milliseconds(resources.rank_timeout);
  job.study_dir = options_.study_dir;
  job.folder_mark = options_.folder_mark;
  job.objective = spec_->objective.metric;
  job.directory = options_.directory;
  const LimitsSpec& limits = spec_->trials.limits;
  if (limits.wall_time) job.wall_time_ms = milliseconds(*limits.wall_time);
  if (limits.silence) job.silence_ms = milliseconds(*limits.silence);
  job.resumable = resumable();
  if (job.resumable) job.checkpoint_every_ms = milliseconds(spec_->storage.checkpoints.every);
  return assign;
}

/// Configurations that will be trials: a searcher must treat them as pending.
std::vector<Configuration> Coordinator::spoken_for() const {
  std::vector<Configuration> all(state_.enqueued.begin(), state_.enqueued.end());
  for (const Configuration& point : initial_) {
    if (!seen_.contains(Hasher().add(point).value())) all.push_back(point);
  }
  for (const Queued& queued : queue_) all.push_back(queued.suggestion.configuration);
  return all;
}

void Coordinator::request_plan() {
  if (asked_ || exhausted_ || finished_ || ending_ || draining_) return;
  const auto in_hand =
      static_cast<std::int64_t>(state_.enqueued.size() + initial_.size() + queue_.size());
  const std::int64_t room =
      spec_->stopping.trials ? configurations_left() - in_hand : std::int64_t{kPlanBlock};
  if (room <= 0 && !wants_suggestion_) return;
  int count = kPlanBlock;
  if (policies_.searcher->asks_ahead()) {
    const int wanted =
        std::min(std::max(kAheadPerSlot * roster_.slots(), kAheadMin), options_.ahead);
    if (!wants_suggestion_ && static_cast<int>(queue_.size()) >= wanted) return;
  } else {
    if (!wants_suggestion_) return;
    const int repeats = spec_->noise.repeats;
    std::int64_t many = (startable() + repeats - 1) / repeats;
    if (spec_->stopping.trials) many = std::min(many, configurations_left());
    count = static_cast<int>(std::max<std::int64_t>(many, 1));
  }
  asked_ = Outstanding{next_plan_, PlanBasis{state_.seq, count, 0, {}}};
  effects_.plan = PlanRequest{next_plan_, history(), count, plan_key(state_.seed, next_plan_)};
}

void Coordinator::repeat_last_plan() {
  if (!policies_.searcher->asks_ahead() || !last_plan_ || last_plan_->used >= kPlanBlock) return;
  if (!budget_left()) return;
  auto before = std::make_shared<History>();
  before->spec = spec_;
  before->trials = state_.trials.prefix(last_plan_->trials_before);
  before->seq = state_.seq;
  asked_ = Outstanding{last_plan_->plan,
                       PlanBasis{state_.seq, kPlanBlock, 0, last_plan_->trials_before}};
  effects_.plan = PlanRequest{last_plan_->plan, std::move(before), kPlanBlock,
                              plan_key(state_.seed, last_plan_->plan)};
}

void Coordinator::handle(const Planned& planned) {
  if (!asked_ || asked_->plan != planned.plan) return;
  PlanBasis basis = asked_->basis;
  asked_.reset();
  next_plan_ = std::max(next_plan_, planned.plan + 1);
  int usable = 0;
  for (std::size_t i = 0; i < planned.suggestions.size(); ++i) {
    const Suggestion& suggestion = planned.suggestions[i];
    if (const Status checked = spec_->space.check(suggestion.configuration); !checked) {
      log().warn("plan {}: a suggestion outside of the space is dropped: {}", planned.plan,
                 checked.error().message);
      continue;
    }
    if (seen_.contains(Hasher().add(suggestion.configuration).value())) continue;
    basis.index = i;
    queue_.push_back(Queued{suggestion, planned.plan, basis});
    ++usable;
  }
  dry_plans_ = usable == 0 ? dry_plans_ + 1 : 0;
  if (static_cast<int>(planned.suggestions.size()) < basis.count || dry_plans_ >= kDryPlans) {
    exhausted_ = true;
  }
}

}  // namespace betatune
