#include "optimizer/simulation/trainer.hpp"

#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "optimizer/width_rates.hpp"

namespace betatune::simulation {

constexpr Monotonic kBeat = std::chrono::seconds(2);

SimTrainer::SimTrainer(World& world, Checks& checks, Network& network, TrainerSetup setup,
                       Post post)
    : world_(world),
      checks_(checks),
      network_(network),
      setup_(std::move(setup)),
      first_name_(setup_.name),
      post_(std::move(post)),
      courier_({[this](Message message) {
                  if (welcome_) say(std::move(message));
                },
                [this](const SimCourier::Key& key, const ArtifactRef& artifact) {
                  arrived(key, artifact);
                },
                [this](const SimCourier::Key& key, const std::optional<Contents>& contents) {
                  fetched(key, contents);
                }},
               setup_.trusts) {}

void SimTrainer::start() {
  connect();
  beat();
}

void SimTrainer::say(Message message) {
  post_(first_name_, peer(), std::move(message));
}

std::vector<Held> SimTrainer::held() const {
  std::vector<Held> all;
  for (const auto& [trial, job] : jobs_) {
    all.push_back(Held{trial, job.assign.attempt, job.seq, job.step});
  }
  return all;
}

int SimTrainer::credit() const {
  int left = setup_.slots;
  for (const auto& [trial, job] : jobs_) left -= job.assign.job.slots;
  return std::max(0, left);
}

void SimTrainer::connect() {
  ++session_;
  welcome_ = false;
  Hello hello;
  hello.trainer = setup_.name;
  hello.session = peer();
  hello.slots = setup_.slots;
  hello.held = held();
  checks_.offers(setup_.name, setup_.slots);
  say(std::move(hello));
}

/// The trainer's loop: what it holds, what it can take, and again what nobody has acknowledged.
void SimTrainer::beat() {
  world_.clock.after(kBeat, [this] { beat(); });
  misfortune();
  if (!up_ || hangs()) return;
  if (!welcome_) return connect();
  say(Beat{0, held(), {}});
  for (const auto& [trial, job] : jobs_) {
    for (const Report& each : job.outbox) say(each);
    if (job.done) say(*job.done);
  }
  say(Ready{credit()});
  courier_.beat();
}

void SimTrainer::misfortune() {
  if (up_ && world_.chance(world_.rates.trainer_crash)) crash();
  if (world_.chance(world_.rates.hang)) hung_until_ = world_.clock.now() + world_.delay(1, 30);
  if (world_.chance(world_.rates.partition)) network_.cut(first_name_, world_.delay(1, 30));
}

void SimTrainer::crash() {
  up_ = false;
  jobs_.clear();
  ended_.clear();
  courier_.clear();
  ++boots_;
  world_.clock.after(world_.delay(0.5, 20), [this] {
    up_ = true;
    if (setup_.renames) setup_.name = first_name_ + "." + std::to_string(boots_);
    connect();
  });
}

void SimTrainer::receive(const PeerId& to, const Message& message) {
  if (!up_ || to != peer()) return;
  if (hangs()) {
    // Back from the dead it finds what came in the meantime.
    world_.clock.at(hung_until_, [this, to, message] { receive(to, message); });
    return;
  }
  std::visit([this](const auto& each) { on(each); }, message);
}

void SimTrainer::on(const Welcome& welcome) {
  welcome_ = true;
  std::map<TrialId, Held> kept;
  for (const Held& each : welcome.keep) kept[each.trial] = each;
  for (const Held& each : held()) {
    const auto found = kept.find(each.trial);
    if (found == kept.end() || found->second.attempt != each.attempt)
      drop(each.trial, each.attempt);
  }
  say(Ready{credit()});
  courier_.welcome();
}

void SimTrainer::drop(TrialId trial, AttemptId attempt) {
  const auto found = jobs_.find(trial);
  if (found == jobs_.end() || found->second.assign.attempt != attempt) return;
  courier_.drop({trial, attempt});
  jobs_.erase(found);
  ended_[trial] = std::max(ended_[trial], attempt);
}

void SimTrainer::on(const Assign& assign) {
  const auto over = ended_.find(assign.trial);
  if (over != ended_.end() && over->second >= assign.attempt) return;
  const auto found = jobs_.find(assign.trial);
  if (found != jobs_.end() && found->second.assign.attempt >= assign.attempt) return;
  if (found != jobs_.end()) courier_.drop({assign.trial, found->second.assign.attempt});
  Job job;
  job.assign = assign;
  job.step = assign.from;
  job.generation = ++generation_;
  Job& begun = jobs_[assign.trial] = std::move(job);
  begin(begun);
}

void SimTrainer::begin(Job& job) {
  const auto& from = job.assign.resume_from;
  if (!from) return schedule_step(job.assign.trial);
  const bool damaged = world_.chance(world_.rates.damage);
  if (setup_.files == nullptr) {
    if (!damaged) return schedule_step(job.assign.trial);
    return finish(job, AttemptEnd::failed, FailureClass::checkpoint);
  }
  if (damaged) setup_.files->damage(from->uri, world_.random);
  if (!setup_.elsewhere) return begin_with(job, setup_.files->read(from->uri));
  job.fetching = true;
  courier_.fetch({job.assign.trial, job.assign.attempt}, *from);
}

void SimTrainer::begin_with(Job& job, const std::optional<Contents>& contents) {
  job.fetching = false;
  const ArtifactRef& from = *job.assign.resume_from;
  if (!contents || !(setup_.trusts || is_whole(*contents, *from.digest))) {
    return finish(job, AttemptEnd::failed, FailureClass::checkpoint);
  }
  checks_.begins_with(from, *contents);
  schedule_step(job.assign.trial);
}

SimTrainer::Job* SimTrainer::job_of(const SimCourier::Key& key) {
  const auto found = jobs_.find(key.first);
  const bool is = found != jobs_.end() && found->second.assign.attempt == key.second;
  return is ? &found->second : nullptr;
}

/// Damaged once only: who fetches tries a second time, and must go on then.
void SimTrainer::on(const FileData& data) {
  const SimCourier::Key key(data.trial, data.attempt);
  if (data.bytes.empty() || spoilt_.contains(key) || !world_.chance(world_.rates.spoil)) {
    return courier_.on(data);
  }
  spoilt_.insert(key);
  FileData damaged = data;
  world_.spoil(damaged.bytes);
  courier_.on(damaged);
}

void SimTrainer::fetched(const SimCourier::Key& key, const std::optional<Contents>& contents) {
  if (contents) checks_.travelled();
  if (Job* job = job_of(key)) begin_with(*job, contents);
}

void SimTrainer::arrived(const SimCourier::Key& key, const ArtifactRef& artifact) {
  checks_.published(artifact);
  checks_.travelled();
  Job* job = job_of(key);
  if (job == nullptr) return;
  job->sending.pop_front();
  emit(*job, false, artifact);
  if (job->end && job->sending.empty()) finish(*job, job->end->first, job->end->second);
}

void SimTrainer::schedule_step(TrialId trial) {
  const std::uint64_t generation = jobs_.at(trial).generation;
  const Monotonic time = world_.delay(0.5 * setup_.step_s, 1.5 * setup_.step_s);
  world_.clock.after(time, [this, trial, generation] { train(trial, generation); });
}

void SimTrainer::train(TrialId trial, std::uint64_t generation) {
  if (hangs()) {
    world_.clock.at(hung_until_, [this, trial, generation] { train(trial, generation); });
    return;
  }
  const auto found = jobs_.find(trial);
  if (found == jobs_.end() || found->second.generation != generation || found->second.done) return;
  Job& job = found->second;
  if (job.end) return;
  if (world_.chance(world_.rates.fail / 3)) {
    constexpr FailureClass kClasses[] = {FailureClass::user, FailureClass::oom,
                                         FailureClass::timeout, FailureClass::infra};
    return finish(job, AttemptEnd::failed, kClasses[world_.random.below(4)]);
  }
  ++job.step;
  const bool last = job.step >= job.assign.until;
  const bool saves = job.assign.job.resumable && (last || world_.random.below(3) == 0);
  report(job, true, saves);
  if (last) return finish(job, AttemptEnd::reached, {});
  schedule_step(trial);
}

/// Lower with training, and a little different in each attempt, as real trainings are.
double SimTrainer::loss_of(const Job& job) {
  double loss = 1.0 / static_cast<double>(job.step + 1) + 0.01 * world_.random.uniform();
  for (const auto& [name, value] : job.assign.params) {
    double number = 0;
    if (to_number(value, &number)) loss += (number - 0.3) * (number - 0.3);
  }
  return loss;
}

/// Lowest where the loss is not.
double SimTrainer::cost_of(const Job& job) {
  double cost = 0;
  for (const auto& [name, value] : job.assign.params) {
    double number = 0;
    if (to_number(value, &number)) cost += std::abs(number - 0.7);
  }
  return cost;
}

void SimTrainer::report(Job& job, bool with_metrics, bool with_checkpoint) {
  if (with_checkpoint) return publish(job, with_metrics);
  emit(job, with_metrics, std::nullopt);
}

void SimTrainer::publish(Job& job, bool with_metrics) {
  ArtifactRef artifact{fmt::format("checkpoints/trial-{}/attempt-{}-step-{}", job.assign.trial.n,
                                   job.assign.attempt.n, job.step),
                       job.step, 1};
  const Contents* contents = setup_.files ? &setup_.files->make(artifact) : nullptr;
  if (contents != nullptr && setup_.elsewhere) {
    // What was measured does not wait for its checkpoint.
    if (with_metrics) emit(job, true, std::nullopt);
    job.sending.push_back(artifact);
    if (setup_.reports_early) emit(job, false, artifact);
    return courier_.send({job.assign.trial, job.assign.attempt}, artifact, *contents);
  }
  if (contents != nullptr) setup_.files->write(artifact.uri);
  checks_.published(artifact);
  emit(job, with_metrics, artifact);
}

void SimTrainer::emit(Job& job, bool with_metrics, std::optional<ArtifactRef> checkpoint) {
  Report report;
  report.trial = job.assign.trial;
  report.attempt = job.assign.attempt;
  report.seq = ++job.seq;
  report.step = job.step;
  if (with_metrics) {
    double value = loss_of(job);
    if (setup_.maximize) value = -value;
    if (world_.chance(world_.rates.diverge / 3)) value = std::numeric_limits<double>::quiet_NaN();
    report.metrics[setup_.metric] = value;
    if (!setup_.cost.empty()) report.metrics[setup_.cost] = cost_of(job);
    if (setup_.rates) {
      report.metrics[kRateMetric] =
          std::pow(job.assign.job.ranks, 0.8) * (100 + 10 * world_.random.uniform());
    }
    report.metrics["serial"] = static_cast<double>(++world_.serial);
  }
  report.checkpoint = std::move(checkpoint);
  checks_.made(report);
  job.outbox.push_back(report);
  if (welcome_) say(std::move(report));
}

void SimTrainer::finish(Job& job, AttemptEnd end, std::optional<FailureClass> failure) {
  job.end = {end, failure};
  if (!job.sending.empty()) return;
  job.done = Done{job.assign.trial, job.assign.attempt,        job.seq, job.step, end,
                  failure,          failure ? "simulated" : ""};
  if (welcome_) say(*job.done);
}

void SimTrainer::on(const Ack& ack) {
  const auto found = jobs_.find(ack.trial);
  if (found == jobs_.end() || found->second.assign.attempt != ack.attempt) return;
  auto& outbox = found->second.outbox;
  while (!outbox.empty() && outbox.front().seq <= ack.seq) outbox.pop_front();
  if (ack.done) {
    drop(ack.trial, ack.attempt);
    say(Ready{credit()});
  }
}

void SimTrainer::on(const Decision& decision) {
  const auto found = jobs_.find(decision.trial);
  if (found == jobs_.end() || found->second.assign.attempt != decision.attempt) return;
  Job& job = found->second;
  if (job.done || job.end) return;
  if (std::exchange(job.fetching, false)) courier_.drop({decision.trial, decision.attempt});
  const bool pauses = decision.action == Action::pause && job.assign.job.resumable;
  if (pauses && job.step > job.assign.from) report(job, false, true);
  finish(job, pauses ? AttemptEnd::paused : AttemptEnd::stopped, {});
}

void SimTrainer::on(const Beat& answer) {
  for (const Held& each : answer.drop) drop(each.trial, each.attempt);
}

void SimTrainer::on(const Refusal& refusal) {
  if (refusal.code == "not_welcome") {
    if (welcome_) connect();
  } else if (refusal.code == "stale_attempt" && refusal.trial && refusal.attempt) {
    drop(*refusal.trial, *refusal.attempt);
  }
}

void SimTrainer::on(const Bye&) {
  welcome_ = false;
}

}  // namespace betatune::simulation
