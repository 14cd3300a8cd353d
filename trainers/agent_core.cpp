#include "trainers/agent_core.hpp"

#include <algorithm>
#include <set>

#include "searchspaces/log.hpp"

namespace betatune {
namespace {

constexpr Milliseconds kGreetingFirst{1'000};
constexpr Milliseconds kGreetingLongest{5'000};
constexpr Milliseconds kHurryLongest{60'000};

}  // namespace

AgentCore::AgentCore(AgentOptions options) : options_(std::move(options)) {}

AgentEffects AgentCore::settle(Milliseconds now) {
  if (!left_) {
    start_waiting(now);
    pump_all(now);
    if (session_ == Session::welcome) tell_credit();
    leave_if_done(now);
  }
  return std::exchange(effects_, {});
}

AgentEffects AgentCore::connected(const std::string& session, Milliseconds now) {
  if (!heard_) heard_ = now;  // patience is counted from the first try
  session_ = Session::greeting;
  greeted_ = now;
  Hello hello;
  hello.trainer = options_.name;
  hello.session = session;
  hello.token = options_.token;
  hello.slots = options_.slots;
  hello.sdk = "betatune-trainer";
  hello.held = held();
  send(std::move(hello));
  return settle(now);
}

void AgentCore::new_session(Milliseconds now) {
  session_ = Session::none;
  greeted_ = now;
  for (auto& [key, work] : work_) work.done_sent = false;
  effects_.emplace_back(NewSession{});
}

AgentEffects AgentCore::disconnected(Milliseconds now) {
  // A greeting waits in the socket until the optimizer is there: it needs no new one.
  if (session_ == Session::welcome) new_session(now);
  return settle(now);
}

AgentEffects AgentCore::received(const Message& message, Milliseconds now) {
  heard_ = now;
  // Before WELCOME nothing but a refusal is about this session.
  const bool counts = session_ == Session::welcome || std::holds_alternative<Welcome>(message) ||
                      std::holds_alternative<Refusal>(message);
  if (counts) std::visit([&](const auto& each) { on(each, now); }, message);
  return settle(now);
}

void AgentCore::on(const Welcome& welcome, Milliseconds now) {
  if (session_ != Session::greeting) return;
  session_ = Session::welcome;
  terms_ = welcome;
  terms_.beat_ms = std::max<std::int64_t>(welcome.beat_ms, 10);
  greeting_patience_ = kGreetingFirst;
  beat_sent_ = now;
  told_credit_ = 0;
  std::set<WorkKey> kept;
  for (const Held& each : welcome.keep) {
    const auto found = work_.find({each.trial, each.attempt});
    if (found == work_.end()) continue;
    Work& work = found->second;
    while (!work.reports.empty() && work.reports.front().seq <= each.last_seq)
      work.reports.pop_front();
    work.sent_seq = std::min(each.last_seq, work.last_seq);
    work.done_sent = false;
    kept.insert(found->first);
  }
  // What is in neither list is unknown to the optimizer: nobody waits for it.
  std::vector<WorkKey> unknown;
  for (const auto& [key, work] : work_) {
    if (kept.count(key) == 0) unknown.push_back(key);
  }
  for (const WorkKey& key : unknown) unwant(key);
  if (draining_) send(Bye{leave_reason_, true});
}

void AgentCore::on(const Ack& ack, Milliseconds now) {
  const auto found = work_.find({ack.trial, ack.attempt});
  if (found == work_.end()) return;
  Work& work = found->second;
  while (!work.reports.empty() && work.reports.front().seq <= ack.seq) {
    work.reports.pop_front();
    work.moved_at = now;
  }
  if (ack.done && work.done) work_.erase(found);
}

void AgentCore::on(const Decision& decision, Milliseconds now) {
  const WorkKey key{decision.trial, decision.attempt};
  const auto found = work_.find(key);
  if (found != work_.end()) tell(key, found->second, decision.action, now);
}

void AgentCore::on(const Beat& beat, Milliseconds) {
  for (const Held& each : beat.drop) unwant({each.trial, each.attempt});
}

void AgentCore::on(const Bye& bye, Milliseconds) {
  draining_ = true;
  leave_reason_ = bye.reason.empty() ? "the optimizer said goodbye" : bye.reason;
  if (bye.drain) return;
  std::vector<WorkKey> keys;
  for (const auto& [key, work] : work_) keys.push_back(key);
  for (const WorkKey& key : keys) unwant(key);
}

void AgentCore::on(const Refusal& refusal, Milliseconds now) {
  const std::string what = refusal.code + (refusal.message.empty() ? "" : ": " + refusal.message);
  if (refusal.code == "bad_token" || refusal.code == "bad_key")
    return leave(kExitAuthentication, what);
  if (refusal.fatal && refusal.code != "not_welcome") return leave(kExitUsage, what);
  if (refusal.code == "not_welcome") {
    // The optimizer does not know this session: it has been restarted.
    if (session_ == Session::welcome) new_session(now);
    return;
  }
  log().warn("the optimizer refuses: {}", what);
  if (session_ != Session::welcome) return;
  if (!refusal.trial || !refusal.attempt) return;
  const WorkKey key{*refusal.trial, *refusal.attempt};
  const auto found = work_.find(key);
  if (found == work_.end()) return;
  if (refusal.code == "missing_reports") {
    Work& work = found->second;
    work.sent_seq = work.reports.empty() ? work.last_seq : work.reports.front().seq - 1;
    work.done_sent = false;
    return;
  }
  unwant(key);  // stale_attempt, conflict, malformed: this attempt cannot be told of any more
}

void AgentCore::tell_credit() {
  const int credit = draining_ ? 0 : std::max(0, options_.slots - busy());
  if (credit == told_credit_) return;
  told_credit_ = credit;
  send(Ready{credit});
}

void AgentCore::tick_session(Milliseconds now) {
  const Milliseconds beat(terms_.beat_ms);
  if (session_ == Session::greeting && now - greeted_ > greeting_patience_) {
    greeting_patience_ = std::min(2 * greeting_patience_, kGreetingLongest);
    return new_session(now);
  }
  if (session_ != Session::welcome) return;
  // An answer to each beat is due at once; two of them missing is a silence.
  if (now - *heard_ > beat * 5 / 2) return new_session(now);
  if (now - beat_sent_ >= beat) {
    beat_sent_ = now;
    send(Beat{terms_.epoch, held(), {}});
    // READY is said again with every beat: a slot whose ASSIGN was lost would stay empty for ever.
    told_credit_ = kCreditUnsaid;
  }
}

AgentEffects AgentCore::tick(Milliseconds now) {
  if (left_) return {};
  tick_session(now);
  for (auto& [key, work] : work_) tick_work(key, work, now);
  const bool lost_patience =
      options_.patience.count() > 0 && heard_ && now - *heard_ > options_.patience;
  if (lost_patience && !hurrying_) {
    leave_status_ = kExitResumable;
    return hurry("no optimizer for " + std::to_string(options_.patience.count() / 1000) + " s",
                 now);
  }
  return settle(now);
}

AgentEffects AgentCore::drain(const std::string& reason, Milliseconds now) {
  if (!draining_ && session_ == Session::welcome) send(Bye{reason, true});
  draining_ = true;
  leave_reason_ = reason;
  leave_status_ = kExitResumable;
  return settle(now);
}

AgentEffects AgentCore::hurry(const std::string& reason, Milliseconds now) {
  if (!hurrying_) left_by_ = now + kHurryLongest;
  hurrying_ = true;
  for (auto& [key, work] : work_) tell(key, work, Action::pause, now);
  return drain(reason, now);
}

void AgentCore::leave_if_done(Milliseconds now) {
  if (!draining_) return;
  // In a hurry, what was said is sent once and not waited for.
  const bool waits = std::any_of(work_.begin(), work_.end(), [&](const auto& each) {
    const Work& work = each.second;
    return work.state == Work::State::running || (!hurrying_ && !work.unwanted);
  });
  if (!waits || (hurrying_ && now > left_by_)) leave(leave_status_, leave_reason_);
}

void AgentCore::leave(int status, const std::string& reason) {
  if (std::exchange(left_, true)) return;
  if (session_ == Session::welcome) send(Bye{reason, false});
  effects_.emplace_back(Leave{status, reason});
}

}  // namespace betatune
