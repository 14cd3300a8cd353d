/// What trainers say, and what they are answered.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "optimizer/coordinator.hpp"
#include "optimizer/report_hash.hpp"
#include "searchspaces/limits.hpp"
#include "transport/digest.hpp"
#include "transport/plain_text.hpp"

namespace betatune {
namespace {

/// A trainer that has been told of an attempt, and neither holds it nor has reported, is told again
/// in so many beats before the attempt counts as lost.
constexpr int kAssignRepeats = 5;
/// One that did hold it has lost it: two beats may be old copies that the network delivers late.
constexpr int kBeatsWithout = 3;

/// As the log has it: finite metrics only, the objective to be minimised.
Reported reported_from(const Report& report, const ObjectiveSpec& objective) {
  Reported fact{report.trial, report.attempt, report.seq, report.step, {}, {}, false};
  for (const auto& [name, number] : report.metrics) {
    if (std::isfinite(number)) fact.metrics.emplace(name, number);
  }
  const auto found = report.metrics.find(objective.metric);
  if (found == report.metrics.end()) return fact;
  if (std::isfinite(found->second)) {
    fact.loss = objective.goal == Goal::maximize ? -found->second : found->second;
  } else {
    fact.diverged = true;
  }
  return fact;
}

/// Names of artifacts stay inside the study's folder.
bool is_inside(const std::string& uri) {
  if (uri.empty() || uri.front() == '/' || has_control_characters(uri)) return false;
  for (std::size_t from = 0; from <= uri.size();) {
    const std::size_t slash = std::min(uri.find('/', from), uri.size());
    if (std::string_view(uri).substr(from, slash - from) == "..") return false;
    from = slash + 1;
  }
  return true;
}

/// Names of trainers and metrics stand in tables and on terminals.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= limits::kNameBytes && !has_control_characters(name);
}

std::string malformed(const Report& report) {
  if (report.seq == 0) return "seq begins with 1";
  if (report.step < 0) return "step is negative";
  if (report.metrics.size() > limits::kMetricsPerReport) {
    return fmt::format("more than {} metrics", limits::kMetricsPerReport);
  }
  for (const auto& [name, number] : report.metrics) {
    if (is_name(name)) continue;
    return fmt::format("a metric's name must have 1 to {} bytes and no control characters",
                       limits::kNameBytes);
  }
  if (!report.checkpoint) return {};
  if (report.checkpoint->step < 0) return "the checkpoint's step is negative";
  if (report.checkpoint->digest && !is_digest(*report.checkpoint->digest)) {
    return "the checkpoint's digest must be 64 hex digits";
  }
  if (is_inside(report.checkpoint->uri)) return {};
  return "the checkpoint's uri must be a path below the study's folder";
}

/// Compares in a time that does not depend on where the difference is.
bool same_secret(const std::string& a, const std::string& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) same &= a[i] == b[i];
  return same;
}

Held held_of(const Trial& trial) {
  return {trial.id, trial.attempt, trial.last_seq, trial.step};
}

}  // namespace

void Coordinator::refuse(const PeerId& to, std::string code, std::string message, bool fatal) {
  send(to, Refusal{std::move(code), fatal, std::move(message), {}, {}});
}

void Coordinator::refuse_work(const PeerId& to, std::string code, std::string message,
                              TrialId trial, AttemptId attempt) {
  send(to, Refusal{std::move(code), false, std::move(message), trial, attempt});
}

void Coordinator::handle(const Received& received) {
  if (const auto* hello = std::get_if<Hello>(&received.message)) return on(received.from, *hello);
  TrainerEntry* trainer = roster_.by_peer(received.from);
  if (trainer == nullptr) {
    return refuse(received.from, "not_welcome", "say HELLO first, with what you hold");
  }
  // Whatever a trainer says, it is alive: late work of a current attempt renews its lease too.
  trainer->seen = now_;
  std::visit(
      [&](const auto& message) {
        using T = std::decay_t<decltype(message)>;
        if constexpr (std::is_same_v<T, Ready> || std::is_same_v<T, Report> ||
                      std::is_same_v<T, Done> || std::is_same_v<T, Beat> ||
                      std::is_same_v<T, Bye> || std::is_same_v<T, PutFile> ||
                      std::is_same_v<T, GetFile>) {
          on(*trainer, message);
        } else {
          refuse(received.from, "unknown_verb",
                 fmt::format("{} is not for an optimizer", T::kType));
        }
      },
      received.message);
}

bool Coordinator::hello_is_welcome(const PeerId& from, const Hello& hello) {
  if (hello.protocol_min > kProtocolVersion || hello.protocol_max < kProtocolVersion) {
    refuse(from, "bad_version",
           fmt::format("this optimizer speaks BTP/{}, the trainer {} to {}", kProtocolVersion,
                       hello.protocol_min, hello.protocol_max),
           true);
  } else if (!options_.token.empty() && !same_secret(hello.token, options_.token)) {
    refuse(from, "bad_token", "the token is not this study's; give the trainer its token file",
           true);
  } else if (hello.slots < 1 || hello.slots > limits::kSlotsPerTrainer) {
    refuse(from, "too_many_slots", fmt::format("slots must be 1 to {}", limits::kSlotsPerTrainer),
           true);
  } else if (!is_name(hello.trainer)) {
    refuse(from, "malformed",
           fmt::format("trainer must be a name of 1 to {} bytes without control characters",
                       limits::kNameBytes),
           true);
  } else {
    return true;
  }
  return false;
}

void Coordinator::on(const PeerId& from, const Hello& hello) {
  if (!hello_is_welcome(from, hello)) return;
  const TrainerEntry* before = roster_.find(hello.trainer);
  // A repeated HELLO of the present session says what was held when the session began, not now.
  const bool repeated =
      before != nullptr && before->session == hello.session && before->peer == from;
  if (!repeated) {
    roster_.join(TrainerEntry{hello.trainer, from, hello.session, hello.slots, 0, false, now_});
    note_size(hello);
  }
  Welcome welcome;
  welcome.study = state_.name;
  welcome.epoch = options_.epoch;
  welcome.beat_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.beat).count();
  welcome.lease_ms = std::chrono::duration_cast<std::chrono::milliseconds>(lease()).count();
  std::set<TrialId> kept;
  for (const Held& held : hello.held) {
    const Trial* trial = current_trial(hello.trainer, held.trial, held.attempt);
    if (trial == nullptr) {
      welcome.drop.push_back(held);
      continue;
    }
    welcome.keep.push_back(held_of(*trial));
    kept.insert(trial->id);
    live_.at(trial->id).confirmed = true;
    live_.at(trial->id).absent = 0;
  }
  send(from, std::move(welcome));
  for (const TrialId id : kept) {
    if (state_.trials[id].decided) send_decision(state_.trials[id], "repeated");
  }
  const auto held = held_by_.find(hello.trainer);
  if (!repeated && held != held_by_.end()) {
    const std::set<TrialId> ours = held->second;
    for (const TrialId id : ours) {
      // An attempt of an earlier run may never have been sent: nobody's fault.
      if (!kept.contains(id)) {
        end_lost(id, live_.at(id).this_run, "its trainer came back without it");
      }
    }
  }
  refresh_free(hello.trainer);
  if (finished_) send(from, Bye{*finished_, true});
}

void Coordinator::on(TrainerEntry& trainer, const Ready& ready) {
  if (ready.credit < 0 || ready.credit > limits::kSlotsPerTrainer) {
    return refuse(trainer.peer, "malformed",
                  fmt::format("credit must be 0 to {}", limits::kSlotsPerTrainer));
  }
  if (trainer.leaving) return;
  trainer.credit = std::clamp(ready.credit, 0, trainer.slots);
  refresh_free(trainer.id);
}

const Trial* Coordinator::current_trial(const TrainerId& trainer, TrialId id,
                                        AttemptId attempt) const {
  if (id.n >= state_.trials.size()) return nullptr;
  const Trial& trial = state_.trials[id];
  const bool current =
      trial.state == TrialState::running && trial.attempt == attempt && trial.trainer == trainer;
  return current ? &trial : nullptr;
}

/// Answers work of an attempt that is not current: acknowledged again if its end was recorded as
/// its trainer said it (only the answer was lost), refused by the fence otherwise.
void Coordinator::answer_ended(const TrainerEntry& trainer, TrialId id, AttemptId attempt,
                               std::uint64_t seq, bool done) {
  if (id.n < state_.trials.size()) {
    const Trial& trial = state_.trials[id];
    const bool in_order = trial.state != TrialState::running && trial.attempt == attempt &&
                          trial.trainer == trainer.id && trial.last_end != AttemptEnd::lost;
    if (in_order && seq <= trial.last_seq) {
      return send(trainer.peer, Ack{id, attempt, trial.last_seq, done});
    }
  }
  refuse_work(trainer.peer, "stale_attempt",
              fmt::format("attempt {} of trial {} is not current: end this work", attempt.n, id.n),
              id, attempt);
}

void Coordinator::on(TrainerEntry& trainer, const Report& report) {
  if (const std::string wrong = malformed(report); !wrong.empty()) {
    return refuse_work(trainer.peer, "malformed", wrong, report.trial, report.attempt);
  }
  const Trial* trial = current_trial(trainer.id, report.trial, report.attempt);
  if (trial == nullptr) {
    return answer_ended(trainer, report.trial, report.attempt, report.seq, false);
  }
  Live& live = live_.at(report.trial);
  live.confirmed = true;
  live.absent = 0;
  if (report.seq <= trial->last_seq) {
    const Reported again = reported_from(report, spec_->objective);
    if (live.reports[report.seq - 1] != report_hash(again)) return give_up_on(trainer.peer, again);
  } else if (report.seq == trial->last_seq + 1) {
    record(report);
  }
  // Beyond a gap nothing is recorded, and the acknowledgement says up to where to offer again.
  send(trainer.peer,
       Ack{report.trial, report.attempt, state_.trials[report.trial].last_seq, false});
  if (report.seq == state_.trials[report.trial].last_seq) judge(report.trial, report.step);
}

/// Two contents under one number: whatever made them, what else this attempt says is not to be
/// trusted. Its trial is tried again under a new number.
void Coordinator::give_up_on(const PeerId& from, const Reported& conflicting) {
  const std::string why =
      fmt::format("report {} is recorded with another content", conflicting.seq);
  refuse_work(from, "conflict", why, conflicting.trial, conflicting.attempt);
  emit(ReportConflicted{conflicting});
  end_lost(conflicting.trial, true, why);
}

void Coordinator::record(const Report& report) {
  emit(reported_from(report, spec_->objective));
  if (report.checkpoint) {
    emit(CheckpointSaved{report.trial, report.attempt, *report.checkpoint});
  }
}

void Coordinator::judge(TrialId id, Step step) {
  const Trial& trial = state_.trials[id];
  if (trial.decided) return;
  if (trial.diverged) {
    return decide(id, Action::stop, "optimizer",
                  fmt::format("`{}` is not finite", spec_->objective.metric));
  }
  if (step >= trial.until) return;
  const auto& all = trial.observations;
  const auto at =
      std::lower_bound(all.begin(), all.end(), step,
                       [](const Observation& each, Step wanted) { return each.step < wanted; });
  if (at == all.end() || at->step != step || !at->loss) return;
  const Verdict verdict = policies_.scheduler->judge(state_, trial, *at);
  if (verdict.action != Action::go_on) decide(id, verdict.action, "scheduler", verdict.reason);
}

void Coordinator::on(TrainerEntry& trainer, const Done& done) {
  const Trial* trial = current_trial(trainer.id, done.trial, done.attempt);
  if (trial == nullptr)
    return answer_ended(trainer, done.trial, done.attempt, done.final_seq, true);
  const std::uint64_t last_seq = trial->last_seq;
  if (done.final_seq > last_seq) {
    live_.at(done.trial).confirmed = true;
    live_.at(done.trial).absent = 0;
    return refuse_work(
        trainer.peer, "missing_reports",
        fmt::format("reports {} to {} have not arrived", last_seq + 1, done.final_seq), done.trial,
        done.attempt);
  }
  // Of what is free now a wide attempt may want all: the READY behind this DONE says how much.
  if (spec_->resources.widths) trainer.credit = 0;
  emit(ending_of(done));
  settle(done.trial);
  send(trainer.peer, Ack{done.trial, done.attempt, last_seq, true});
}

void Coordinator::on(TrainerEntry& trainer, const Beat& beat) {
  Beat answer;
  answer.epoch = options_.epoch;
  std::set<TrialId> named;
  for (const Held& held : beat.held) {
    const Trial* trial = current_trial(trainer.id, held.trial, held.attempt);
    if (trial == nullptr) {
      answer.drop.push_back(held);
      continue;
    }
    named.insert(trial->id);
    live_.at(trial->id).confirmed = true;
    live_.at(trial->id).absent = 0;
    answer.held.push_back(held_of(*trial));
    if (trial->decided) send_decision(*trial, "repeated");
  }
  send(trainer.peer, std::move(answer));
  const auto held = held_by_.find(trainer.id);
  if (held == held_by_.end()) return;
  const std::set<TrialId> ours = held->second;
  for (const TrialId id : ours) {
    if (!named.contains(id)) missed_in_beat(trainer, id);
  }
}

void Coordinator::missed_in_beat(TrainerEntry& trainer, TrialId id) {
  Live& live = live_.at(id);
  // Younger than a beat: the ASSIGN and this BEAT may have crossed.
  if (now_ - live.assigned < options_.beat) return;
  ++live.absent;
  const Trial& trial = state_.trials[id];
  const bool begun = live.confirmed || trial.last_seq > 0;
  if (live.absent >= (begun ? kBeatsWithout : kAssignRepeats)) {
    return end_lost(id, true, "its trainer no longer has it");
  }
  // An attempt that has begun is never begun twice under one number: its reports would conflict.
  if (!begun) send(trainer.peer, assignment_of(trial));
}

void Coordinator::on(TrainerEntry& trainer, const Bye& bye) {
  trainer.leaving = true;
  trainer.credit = 0;
  const TrainerId id = trainer.id;
  refresh_free(id);
  const auto held = held_by_.find(id);
  if (held != held_by_.end() && bye.drain) return;  // it finishes what it holds
  if (held != held_by_.end()) {
    const std::set<TrialId> ours = held->second;
    for (const TrialId trial : ours) end_lost(trial, false, "its trainer left");
  }
  roster_.leave(id);
}

}  // namespace betatune
