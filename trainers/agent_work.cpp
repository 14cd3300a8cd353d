// The part of AgentCore that deals with attempts; agent_core.cpp has the session.

#include <algorithm>

#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"
#include "trainers/agent_core.hpp"
#include "trainers/attempt_folder.hpp"

namespace betatune {
namespace {

constexpr Milliseconds kDoneAgain{2'000};
constexpr Milliseconds kReportsAgain{5'000};

}  // namespace

std::vector<Held> AgentCore::held() const {
  std::vector<Held> held;
  for (const auto& [key, work] : work_) {
    if (!work.unwanted) held.push_back({key.trial, key.attempt, work.last_seq, work.step});
  }
  return held;
}

int AgentCore::slots_of(const Assign& assign) const {
  // One that takes more than there are (a trainer that came back with fewer) runs alone.
  return std::clamp(assign.job.slots, 1, options_.slots);
}

int AgentCore::busy() const {
  int slots = 0;
  for (const auto& [key, work] : work_) {
    if (work.state != Work::State::ended) slots += slots_of(work.assign);
  }
  return slots;
}

bool AgentCore::may_read(const WorkKey& key) const {
  const auto found = work_.find(key);
  return found == work_.end() || found->second.reports.size() < kReportsHeld;
}

void AgentCore::on(const Assign& assign, Milliseconds) {
  const WorkKey key{assign.trial, assign.attempt};
  if (draining_ || assign.epoch < terms_.epoch || work_.count(key) != 0) return;
  std::vector<WorkKey> older;
  for (const auto& [each, work] : work_) {
    if (each.trial == assign.trial && each.attempt < assign.attempt) older.push_back(each);
    if (each.trial == assign.trial && each.attempt > assign.attempt) return;
  }
  for (const WorkKey& each : older) unwant(each);
  // The optimizer counts this assignment itself; READY is only sent where the two counts differ.
  told_credit_ = std::max(0, told_credit_ - slots_of(assign));
  Work work;
  work.assign = assign;
  work.step = assign.from;
  work_.emplace(key, std::move(work));
}

void AgentCore::start_waiting(Milliseconds now) {
  int taken = 0;
  for (const auto& [key, work] : work_) {
    if (work.state == Work::State::running) taken += slots_of(work.assign);
  }
  for (auto& [key, work] : work_) {
    if (work.state != Work::State::waiting || hurrying_) continue;
    // In their order: narrow ones would keep a wide one waiting for ever.
    if (taken + slots_of(work.assign) > options_.slots) return;
    work.state = Work::State::running;
    work.started = work.heard = now;
    taken += slots_of(work.assign);
    effects_.emplace_back(StartWork{key, work.assign});
    if (work.told != Action::go_on) effects_.emplace_back(TellWork{key, work.told});
  }
}

AgentEffects AgentCore::work_said(const WorkKey& key, const WorkerMessage& message,
                                  Milliseconds now) {
  const auto found = work_.find(key);
  if (found == work_.end() || found->second.state != Work::State::running) return settle(now);
  Work& work = found->second;
  work.heard = now;
  if (const auto* end = std::get_if<WorkerEnd>(&message)) {
    if (!work.said) work.said = *end;
    return settle(now);
  }
  const auto& made = std::get<WorkerReport>(message);
  work.step = std::max(work.step, made.step);
  if (!work.unwanted) {
    work.reports.push_back(
        {key.trial, key.attempt, ++work.last_seq, made.step, made.metrics, made.checkpoint});
  }
  return settle(now);
}

void AgentCore::tell(const WorkKey& key, Work& work, Action action, Milliseconds now) {
  // Decisions are repeated in answers to beats, and a stop may follow a pause, but nothing undoes
  // one.
  if (work.state == Work::State::ended || action == Action::go_on || work.told == action) return;
  if (work.told == Action::stop) return;
  if (work.told == Action::go_on) work.told_at = now;
  work.told = action;
  if (work.state == Work::State::running) effects_.emplace_back(TellWork{key, action});
}

void AgentCore::ask_to_end(const WorkKey& key, Work& work) {
  if (work.state != Work::State::running || std::exchange(work.end_asked, true)) return;
  effects_.emplace_back(EndWork{key});
}

void AgentCore::unwant(const WorkKey& key) {
  const auto found = work_.find(key);
  if (found == work_.end()) return;
  Work& work = found->second;
  if (work.state != Work::State::running) {
    work_.erase(found);
    return;
  }
  if (std::exchange(work.unwanted, true)) return;
  work.reports.clear();
  // Also where it was asked to end before: what it leaves was wanted then.
  work.end_asked = true;
  effects_.emplace_back(EndWork{key, true});
}

void AgentCore::files_travel(const WorkKey& key, bool travel, Milliseconds now) {
  const auto found = work_.find(key);
  if (found == work_.end()) return;
  Work& work = found->second;
  if (travel && !work.travels_since) work.travels_since = now;
  if (travel || !work.travels_since) return;
  work.started += now - *work.travels_since;
  work.heard = now;
  work.travels_since.reset();
}

void AgentCore::impose(const WorkKey& key, Work& work, const std::string& limit) {
  if (work.imposed || work.end_asked) return;
  work.imposed = AttemptFailure{FailureClass::timeout, limit};
  ask_to_end(key, work);
}

void AgentCore::tick_work(const WorkKey& key, Work& work, Milliseconds now) {
  const bool unanswered = !work.reports.empty() && work.sent_seq >= work.reports.front().seq;
  if (unanswered && now - work.moved_at >= kReportsAgain) {
    // A report was lost on the way (a full socket): nothing behind it is recorded until it arrives.
    work.sent_seq = work.reports.front().seq - 1;
    work.moved_at = now;
  }
  if (work.state == Work::State::ended) {
    if (work.done_sent && now - work.done_sent_at >= kDoneAgain) work.done_sent = false;
    return;
  }
  if (work.state != Work::State::running || work.travels_since) return;
  const TrainerJob& job = work.assign.job;
  const auto seconds = [](std::int64_t ms) {
    return std::to_string(static_cast<double>(ms) / 1000.0).substr(0, 6) + " s";
  };
  if (job.wall_time_ms > 0 && (now - work.started).count() > job.wall_time_ms) {
    impose(key, work,
           "ran longer than trials.limits.wall_time (" + seconds(job.wall_time_ms) + ")");
  }
  const bool made_to_wait = work.reports.size() >= kReportsHeld;
  if (made_to_wait) work.heard = now;
  if (job.silence_ms > 0 && !work.said && (now - work.heard).count() > job.silence_ms) {
    impose(
        key, work,
        "reported nothing for longer than trials.limits.silence (" + seconds(job.silence_ms) + ")");
  }
  if (work.told == Action::stop && now - work.told_at > options_.stop_grace) ask_to_end(key, work);
  // It said that it is done; what still holds it (an exit handler, a thread) is not work.
  if (work.said && now - work.heard > options_.stop_grace) ask_to_end(key, work);
}

WorkerEnd AgentCore::judge(const Work& work, const ProcessEnd& end) const {
  const bool command = work.assign.job.plugin.empty();
  if (work.imposed)
    return failed_end(work.step, work.imposed->kind,
                      failure_text(work.imposed->message, end.output));
  if (work.said) {
    WorkerEnd said = *work.said;
    if (said.end == AttemptEnd::failed && command && said.rank == 0)
      said.message = failure_text(said.message, end.output);
    return said;
  }
  if (work.end_asked && work.told == Action::stop)
    return {AttemptEnd::stopped, work.step, std::nullopt, ""};
  const AttemptFailure failure = failure_of(end, command ? "the command" : "the trainer");
  return failed_end(work.step, failure.kind, failure.message);
}

AgentEffects AgentCore::work_ended(const WorkKey& key, const ProcessEnd& end, Milliseconds now) {
  const auto found = work_.find(key);
  if (found != work_.end()) finish(key, judge(found->second, end), now);
  return settle(now);
}

AgentEffects AgentCore::work_failed(const WorkKey& key, const AttemptFailure& failure,
                                    Milliseconds now) {
  const auto found = work_.find(key);
  if (found != work_.end()) {
    const Work& work = found->second;
    const AttemptFailure& why = work.imposed ? *work.imposed : failure;
    finish(key, failed_end(work.step, why.kind, why.message), now);
  }
  return settle(now);
}

void AgentCore::finish(const WorkKey& key, WorkerEnd end, Milliseconds now) {
  Work& work = work_.at(key);
  if (work.state != Work::State::running) return;
  work.state = Work::State::ended;
  // An attempt that this trainer interrupted for its own reasons has not ended as the scheduler
  // asked: its checkpoint is reported, and BYE tells the optimizer that it goes on elsewhere.
  const bool interrupted = hurrying_ && end.end != AttemptEnd::reached;
  if (work.unwanted || interrupted) {
    pump(work, now);
    work_.erase(key);
    return;
  }
  log().info("trial {} attempt {}: {} at step {}{}{}", key.trial.n, key.attempt.n, to_name(end.end),
             end.step, end.message.empty() ? "" : ": ", end.message);
  work.done = Done{key.trial, key.attempt, work.last_seq,         end.step,
                   end.end,   end.failure, std::move(end.message)};
}

void AgentCore::pump(Work& work, Milliseconds now) {
  if (session_ != Session::welcome || work.unwanted) return;
  const std::uint64_t acknowledged =
      work.reports.empty() ? work.last_seq : work.reports.front().seq - 1;
  const std::uint64_t window_end = acknowledged + limits::kUnacknowledgedReports;
  work.sent_seq = std::max(work.sent_seq, acknowledged);
  while (work.sent_seq < std::min(work.last_seq, window_end)) {
    send(work.reports[work.sent_seq - acknowledged]);
    ++work.sent_seq;
    work.moved_at = now;
  }
  if (!work.done || work.done_sent || work.sent_seq < work.last_seq) return;
  work.done_sent = true;
  work.done_sent_at = now;
  send(*work.done);
  // An optimizer may wait to hear what is free now before it fills the slots.
  told_credit_ = kCreditUnsaid;
}

void AgentCore::pump_all(Milliseconds now) {
  for (auto& [key, work] : work_) pump(work, now);
}

}  // namespace betatune
