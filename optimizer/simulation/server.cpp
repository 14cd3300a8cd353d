#include "optimizer/simulation/server.hpp"

#include <fmt/format.h>

namespace betatune::simulation {
namespace {

constexpr std::size_t kPage = 1'000'000;

/// A store that says "durable" before it is: a restart loses its last append. Only for a mutation.
class UnsyncedStore : public StudyStore {
 public:
  Status append(Sequence expected, std::span<const Event> events,
                std::span<const std::int64_t>) override {
    before_ = std::min<std::size_t>(expected, log_.size());
    log_.insert(log_.end(), events.begin(), events.end());
    return Ok{};
  }
  Result<std::vector<Event>> read(Sequence, std::size_t) const override { return log_; }
  Result<std::uint64_t> begin_epoch() override {
    if (epoch_ > 0) log_.resize(before_);
    return ++epoch_;
  }
  Result<std::vector<StoredRequest>> requests() const override {
    return std::vector<StoredRequest>{};
  }
  Status add_request(const std::string&, const Json&) override { return Ok{}; }

 private:
  std::vector<Event> log_;
  std::size_t before_ = 0;
  std::uint64_t epoch_ = 0;
};

}  // namespace

SimServer::SimServer(World& world, Checks& checks, StudySpec spec, Mutation mutation, Post post)
    : world_(world),
      checks_(checks),
      spec_(std::make_shared<const StudySpec>(std::move(spec))),
      mutation_(mutation),
      post_(std::move(post)),
      on_demand_(world.random.below(3) == 0) {
  if (mutation == Mutation::unsynced_store) {
    store_ = std::make_unique<UnsyncedStore>();
  } else {
    store_ = make_memory_store();
  }
}

void SimServer::keep(const StudyFiles& files) {
  files_ = &files;
  desk_ = std::make_unique<SimDesk>(world_, files, post_, [this] { crash(world_.delay(0.1, 20)); });
}

void SimServer::start() {
  boot();
  tick();
}

void SimServer::boot() {
  ++boot_;
  // A new process has another monotonic clock; only differences may count.
  monotonic_base_ = world_.delay(0, 1e6);
  policies_ = make_policies(*spec_, on_demand_);
  CoordinatorOptions options;
  options.epoch = store_->begin_epoch().value();
  options.beat = std::chrono::seconds(2);
  // Somebody sets the wall clock now and then: nothing may depend on it.
  options.wall_offset_us = static_cast<std::int64_t>(1e15 * world_.random.uniform());
  coordinator_ = std::make_unique<Coordinator>(spec_, policies_, options);
  const auto log = store_->read(0, kPage).value();
  if (const Status replayed = coordinator_->replay(log); !replayed) {
    return checks_.broken("the log does not replay: " + replayed.error().message);
  }
  checks_.live(coordinator_->state());
  if (desk_) {
    desk_->boot();
    keeper_.emplace(files_->folder(), spec_->storage.checkpoints);
    keeper_->sweep(coordinator_->state());
  }
  const Effects effects = coordinator_->start(monotonic());
  if (commit(effects)) release(effects);
}

void SimServer::tick() {
  world_.clock.after(std::chrono::seconds(1), [this] { tick(); });
  if (!coordinator_) return;
  put(Tick{});
  user();
}

/// Now and then a person does something.
void SimServer::user() {
  if (!world_.chance(world_.rates.user)) return;
  const std::uint64_t what = world_.random.below(4);
  if (what == 0) {
    put(EnqueueRequest{spec_->space.sample(fold_in(root_key(world_.random.bits()), "by hand"))});
  } else if (what == 1) {
    const std::size_t trials = coordinator_->state().trials.size();
    if (trials > 0) put(StopTrialRequest{TrialId{world_.random.below(trials)}});
  } else if (what == 2) {
    put(DrainRequest{"a person asked"});
  } else {
    put(CancelRequest{});
  }
}

void SimServer::receive(const PeerId& from, const Message& message) {
  if (coordinator_) put(Received{from, message});
}

void SimServer::put(Input input) {
  inbox_.push_back(std::move(input));
  if (turn_scheduled_) return;
  turn_scheduled_ = true;
  const std::uint64_t boot = boot_;
  world_.clock.after(world_.delay(0, 0.02), [this, boot] {
    if (boot != boot_ || !coordinator_) return;
    turn_scheduled_ = false;
    turn();
  });
}

void SimServer::turn() {
  std::vector<Input> inputs;
  inputs.swap(inbox_);
  Effects all;
  for (Input& input : inputs) {
    merge(all, step(mutated(std::move(input))));
  }
  if (mutation_ == Mutation::send_before_append) {
    for (const Outgoing& each : all.send) checks_.sending(each);
  }
  if (!commit(all)) return;
  if (world_.chance(world_.rates.server_crash)) return crash(world_.delay(0.1, 20));
  release(all);
}

Effects SimServer::step(Input input) {
  Effects effects = coordinator_->step(input, monotonic());
  if (desk_ && effects.admits_file) desk_->take(std::get<Received>(std::move(input)));
  return effects;
}

void SimServer::merge(Effects& all, Effects more) {
  for (Fact& fact : more.append) all.append.push_back(std::move(fact));
  for (Outgoing& each : more.send) all.send.push_back(std::move(each));
  if (more.plan) all.plan = std::move(more.plan);
  if (more.finished) all.finished = std::move(more.finished);
  all.at_us = more.at_us;
}

bool SimServer::commit(const Effects& effects) {
  const Sequence before = checks_.replica().seq;
  std::vector<Event> events;
  for (const Fact& fact : effects.append) {
    events.push_back(Event{before + events.size() + 1, effects.at_us, fact});
  }
  const bool dies = world_.chance(world_.rates.server_crash);
  if (dies || (!events.empty() && world_.chance(world_.rates.append_fails))) {
    // A store without transactions would keep a part of them. The log must be sound even so.
    if (!events.empty() && world_.chance(world_.rates.torn_append)) {
      append(std::span(events).first(world_.random.below(events.size())));
    }
    crash(world_.delay(0.1, 20));
    return false;
  }
  if (!append(events)) return false;
  if (keeper_) keeper_->on_events(events, coordinator_->state());
  checks_.live(coordinator_->state());
  return true;
}

bool SimServer::append(std::span<const Event> events) {
  if (events.empty()) return true;
  const Status appended = store_->append(checks_.replica().seq, events);
  if (!appended) {
    checks_.broken("the store refuses: " + appended.error().message);
    return false;
  }
  checks_.durable(events);
  return true;
}

void SimServer::release(const Effects& effects) {
  for (const Outgoing& each : effects.send) {
    checks_.sending(each);
    post_(each.to, each.message);
  }
  if (desk_) desk_->tidy(coordinator_->state());
  if (effects.plan) plan(*effects.plan);
  if (effects.finished) end(*effects.finished);
}

void SimServer::plan(const PlanRequest& request) {
  const std::uint64_t boot = boot_;
  Planned planned{request.plan,
                  policies_.searcher->suggest(*request.history, request.count, request.key)};
  world_.clock.after(world_.delay(0, 1), [this, boot, planned] {
    if (boot == boot_ && coordinator_) put(planned);
  });
}

void SimServer::crash(Monotonic pause) {
  coordinator_.reset();
  keeper_.reset();
  if (desk_) desk_->crash();
  inbox_.clear();
  turn_scheduled_ = false;
  ++restarts_;
  ++boot_;
  world_.clock.after(pause, [this] { boot(); });
}

void SimServer::end(const std::string& reason) {
  if (reason == "drained" || reason == "cancelled") return crash(world_.delay(1, 20));
  checks_.finished(reason, coordinator_->state(), *spec_->stopping.trials);
  if (desk_) {
    desk_->close(coordinator_->state());
    if (files_->has_incoming()) checks_.broken("files of attempts that are over are kept");
  }
  finished_ = reason;
}

/// The same input as a coordinator with a bug would take it.
Input SimServer::mutated(Input input) const {
  auto* received = std::get_if<Received>(&input);
  if (received == nullptr || !coordinator_) return input;
  const StudyState& state = coordinator_->state();
  const auto& trainers = coordinator_->roster().all();
  if (auto* report = std::get_if<Report>(&received->message)) {
    if (report->trial.n >= state.trials.size()) return input;
    const Trial& trial = state.trials[report->trial];
    if (trial.state != TrialState::running) return input;
    if (mutation_ == Mutation::no_dedup && report->attempt == trial.attempt &&
        report->seq <= trial.last_seq) {
      report->seq = trial.last_seq + 1;
    }
    if (mutation_ == Mutation::no_fence && report->attempt < trial.attempt &&
        trainers.contains(trial.trainer)) {
      received->from = trainers.at(trial.trainer).peer;
      report->attempt = trial.attempt;
      report->seq = trial.last_seq + 1;
    }
  } else if (auto* beat = std::get_if<Beat>(&received->message)) {
    if (mutation_ != Mutation::no_reconcile) return input;
    beat->held.clear();
    for (const TrialId id : state.running) {
      const Trial& trial = state.trials[id];
      const auto entry = trainers.find(trial.trainer);
      if (entry == trainers.end() || entry->second.peer != received->from) continue;
      beat->held.push_back(Held{id, trial.attempt, trial.last_seq, trial.step});
    }
  }
  return input;
}

std::string SimServer::where() const {
  std::string text;
  for (const Trial& trial : checks_.replica().trials) {
    if (trial.state == TrialState::closed) continue;
    text +=
        fmt::format(" trial {} {} attempt {} on `{}` step {} of {};", trial.id.n,
                    to_name(trial.state), trial.attempt.n, trial.trainer, trial.step, trial.until);
  }
  return text +
         fmt::format(" {} trials of {}", checks_.replica().trials.size(), *spec_->stopping.trials);
}

}  // namespace betatune::simulation
