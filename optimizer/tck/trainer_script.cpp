#include "optimizer/tck/trainer_script.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace betatune::tck {
TrainerScript::TrainerScript(const TrainerTarget& target, std::filesystem::path folder)
    : target_(target), folder_(std::move(folder)), endpoint_("ipc://" + (folder_ / "o").string()) {
  terms.study = "tck";
  terms.epoch = 3;
  terms.beat_ms = 300;
  terms.lease_ms = 30'000;
}

/// Both sides' pairs are new; returns the trainer's key file.
Result<std::string> TrainerScript::make_keys() {
  BETATUNE_TRY(keys_, make_key_pair());
  BETATUNE_TRY(const KeyPair own, make_key_pair());
  const std::filesystem::path file = folder_ / "kit.key";
  BETATUNE_CHECK(write_trainer_key(file, TrainerKey{"kit", own, keys_->public_key}));
  return file.string();
}

Status TrainerScript::start() {
  const bool curve = std::ranges::any_of(target_.command, [](const std::string& each) {
    return each.find("{key}") != std::string::npos;
  });
  std::string key;
  if (curve) {
    BETATUNE_TRY(key, make_keys());
  }
  wire_ = std::make_unique<Wire>(ZmqSocket::Role::router, 'O', 'T', transcript_);
  BETATUNE_CHECK(wire_->bind(endpoint_, keys_));
  const auto argv = with_values(target_.command, {{"{address}", endpoint_}, {"{key}", key}});
  BETATUNE_TRY(process_, Process::start(argv, std::filesystem::current_path(), folder_ / "output"));
  return Ok{};
}

Status TrainerScript::begin() {
  BETATUNE_CHECK(start());
  return greet();
}

Result<Assign> TrainerScript::begin_running(Step least) {
  BETATUNE_CHECK(needs_steps(least));
  BETATUNE_CHECK(begin());
  const Assign out = assign();
  BETATUNE_TRY(const Report report, expect<Report>());
  static_cast<void>(report);
  return out;
}

Status TrainerScript::exits(Milliseconds limit) {
  const auto until = Clock::now() + limit;
  while (Clock::now() < until) {
    if (!process_.running()) return Ok{};
    BETATUNE_CHECK(pass(Milliseconds(50)));
  }
  return wrong(fmt::format("it still runs after {} s", static_cast<double>(limit.count()) / 1'000));
}

Result<Heard> TrainerScript::heard(Clock::time_point until, const char* what) {
  std::optional<Heard> next = next_while_alive(*wire_, process_, until);
  if (!next) return wrong(fmt::format("no {} came{}", what, last_words(process_, folder_)));
  if (!next->message) return wrong("it sent what cannot be read: " + next->message.error().message);
  keep_up(*next);
  return *std::move(next);
}

void TrainerScript::keep_up(const Heard& heard) {
  const bool greets = std::holds_alternative<Hello>(heard.message.value());
  if (!greets && !greeted_.contains(heard.from)) {
    return wire_->send(heard.from, Refusal{"not_welcome", false, "say HELLO first", {}, {}});
  }
  greeted_.insert(heard.from);
  if (const auto* hello = std::get_if<Hello>(&heard.message.value())) {
    hello_ = *hello;
    peer_ = heard.from;
  } else if (const auto* ready = std::get_if<Ready>(&heard.message.value())) {
    ready_ = *ready;
  } else if (const auto* report = std::get_if<Report>(&heard.message.value())) {
    reports_.push_back(*report);
    if (acknowledges) acknowledge(*report);
  } else if (const auto* done = std::get_if<Done>(&heard.message.value())) {
    dones_.push_back(*done);
  } else if (const auto* beat = std::get_if<Beat>(&heard.message.value())) {
    beat_ = *beat;
    if (!answers_beats) return;
    Beat answer{terms.epoch, {}, {}};
    for (const Held& each : beat->held) {
      if (unmentioned.contains(each.trial)) continue;
      (disowned.contains(each.trial) ? answer.drop : answer.held).push_back(each);
    }
    wire_->send(heard.from, answer);
  } else if (on_file) {
    on_file(heard.message.value());
  }
}

Status TrainerScript::pass(Milliseconds time) {
  const auto until = Clock::now() + time;
  while (auto next = wire_->next(until)) {
    if (!next->message)
      return wrong("it sent what cannot be read: " + next->message.error().message);
    keep_up(*next);
  }
  return Ok{};
}

Result<bool> TrainerScript::until(const std::function<bool()>& holds) {
  constexpr Milliseconds kLook{20};
  const auto end = Clock::now() + target_.patience;
  while (!holds()) {
    if (Clock::now() >= end) return false;
    BETATUNE_CHECK(pass(kLook));
  }
  return true;
}

Status TrainerScript::greet() {
  BETATUNE_TRY(const Hello hello, expect<Hello>());
  static_cast<void>(hello);
  welcome();
  BETATUNE_TRY(const Ready ready, expect<Ready>());
  static_cast<void>(ready);
  return Ok{};
}

void TrainerScript::welcome(std::vector<Held> keep, std::vector<Held> drop) {
  Welcome answer = terms;
  answer.keep = std::move(keep);
  answer.drop = std::move(drop);
  send(answer);
}

Assign TrainerScript::make_assign(TrialId trial, std::uint64_t attempt) {
  Assign out;
  out.trial = trial;
  out.attempt = AttemptId{attempt};
  out.epoch = terms.epoch;
  out.params = study().space.sample(fold_in(root_key(1), trial.n));
  out.until = study().full_budget();
  out.seed = 1'000 + trial.n;
  TrainerJob& job = out.job;
  job.plugin = study().trainer.plugin.value_or("");
  job.command = study().trainer.command.value_or(std::vector<std::string>{});
  job.per_rank = study().trainer.command && study().trainer.has_ranks();
  job.config = study().trainer.config;
  job.cpus = study().resources.cpus;
  job.gpus = study().resources.gpus;
  job.ranks = study().resources.world();
  job.study_dir = folder_.string();
  job.objective = study().objective.metric;
  job.directory = target_.study_directory;
  job.resumable = study().fidelity && study().fidelity->resumable;
  return out;
}

Assign TrainerScript::assign(std::optional<TrialId> trial, std::uint64_t attempt) {
  Assign out = make_assign(trial.value_or(TrialId{next_trial_}), attempt);
  next_trial_ = std::max(next_trial_, out.trial.n + 1);
  send(out);
  return out;
}

void TrainerScript::acknowledge(const Report& report) {
  send(Ack{report.trial, report.attempt, report.seq, false});
}

void TrainerScript::acknowledge(const Done& done) {
  send(Ack{done.trial, done.attempt, done.final_seq, true});
}

Result<Done> TrainerScript::finish(const Assign& assign) {
  BETATUNE_TRY(const Done done, expect<Done>([&](const Done& each) {
                 return each.trial == assign.trial && each.attempt == assign.attempt;
               }));
  acknowledge(done);
  return done;
}

Status TrainerScript::break_connection() {
  wire_.reset();
  greeted_.clear();
  wire_ = std::make_unique<Wire>(ZmqSocket::Role::router, 'O', 'T', transcript_);
  return wire_->bind(endpoint_, keys_);
}

Result<Hello> TrainerScript::rejoin() {
  send(Refusal{"not_welcome", false, "who are you?", {}, {}});
  return expect<Hello>();
}

Status TrainerScript::needs_steps(Step least) const {
  if (study().full_budget() >= least) return Ok{};
  return skipped(fmt::format("the study's trials have {} step{}, this case needs {}",
                             study().full_budget(), study().full_budget() == 1 ? "" : "s", least));
}

Status TrainerScript::needs_checkpoints() const {
  if (study().fidelity && study().fidelity->resumable) return Ok{};
  return skipped("the study says that its trainer cannot resume");
}

}  // namespace betatune::tck
