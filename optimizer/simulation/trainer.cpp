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
      post_(std::move(post)) {}

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
}

void SimTrainer::drop(TrialId trial, AttemptId attempt) {
  const auto found = jobs_.find(trial);
  if (found == jobs_.end() || found->second.assign.attempt != attempt) return;
  jobs_.erase(found);
  ended_[trial] = std::max(ended_[trial], attempt);
}

void SimTrainer::on(const Assign& assign) {
  const auto over = ended_.find(assign.trial);
  if (over != ended_.end() && over->second >= assign.attempt) return;
  const auto found = jobs_.find(assign.trial);
  if (found != jobs_.end() && found->second.assign.attempt >= assign.attempt) return;
  Job job;
  job.assign = assign;
  job.step = assign.from;
  job.generation = ++generation_;
  Job& begun = jobs_[assign.trial] = std::move(job);
  if (assign.resume_from && world_.chance(world_.rates.damage)) {
    return finish(begun, AttemptEnd::failed, FailureClass::checkpoint);
  }
  schedule_step(assign.trial);
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
  if (with_checkpoint) {
    report.checkpoint = ArtifactRef{fmt::format("checkpoints/trial-{}/attempt-{}-step-{}",
                                                report.trial.n, report.attempt.n, report.step),
                                    report.step, 1};
    checks_.published(*report.checkpoint);
  }
  checks_.made(report);
  job.outbox.push_back(report);
  if (welcome_) say(std::move(report));
}

void SimTrainer::finish(Job& job, AttemptEnd end, std::optional<FailureClass> failure) {
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
  if (job.done) return;
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
