#include "support/fake_optimizer.hpp"

#include <algorithm>
#include <cmath>

namespace betatune::test {

std::vector<Step> Told::steps() const {
  std::vector<Step> steps;
  for (const Report& each : reports) {
    if (!each.checkpoint) steps.push_back(each.step);
  }
  return steps;
}

double Told::last(const std::string& metric) const {
  double value = NAN;
  for (const Report& each : reports) {
    const auto found = each.metrics.find(metric);
    if (found != each.metrics.end()) value = found->second;
  }
  return value;
}

std::optional<ArtifactRef> Told::checkpoint() const {
  std::optional<ArtifactRef> last;
  for (const Report& each : reports) {
    if (each.checkpoint) last = each.checkpoint;
  }
  return last;
}

FakeOptimizer::FakeOptimizer(std::string endpoint) {
  terms.study = "fake";
  terms.epoch = 1;
  terms.beat_ms = 200;
  auto socket = ZmqSocket::open(context_, loop_, ZmqSocket::Role::router);
  BETATUNE_ASSERT(static_cast<bool>(socket));
  socket_ = std::move(socket).value();
  const Status bound = socket_->bind(endpoint);
  BETATUNE_ASSERT(static_cast<bool>(bound));
  socket_->start([this] {
    Delivery delivery;
    while (socket_->receive(delivery)) {
      const auto message = decode_message(delivery.frames);
      BETATUNE_ASSERT(static_cast<bool>(message));
      if (answers) take(delivery.from, message.value());
    }
  });
}

bool FakeOptimizer::serve_until(const std::function<bool()>& condition,
                                std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    loop_.restart();
    loop_.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

void FakeOptimizer::assign(Assign assign) {
  all[{assign.trial, assign.attempt}];
  queue_.push_back(std::move(assign));
  hand_out();
}

void FakeOptimizer::hand_out() {
  while (credit > 0 && !queue_.empty()) {
    --credit;
    ++all[{queue_.front().trial, queue_.front().attempt}].assigned;
    send_to(peer_, std::move(queue_.front()));
    queue_.pop_front();
  }
}

bool FakeOptimizer::serve_all() {
  return serve_until([this] {
    return std::all_of(all.begin(), all.end(),
                       [](const auto& each) { return each.second.done.has_value(); });
  });
}

void FakeOptimizer::send_to(const PeerId& peer, Message message) {
  // A trainer that has been killed by the test is unreachable; nothing else may go wrong here.
  BETATUNE_ASSERT(socket_->send(peer, encode_message(message)) != SendResult::full);
}

void FakeOptimizer::send(Message message) {
  send_to(peer_, std::move(message));
}

void FakeOptimizer::decide(TrialId trial, AttemptId attempt, Action action) {
  send(Decision{trial, attempt, action, "by the test"});
}

const Told& FakeOptimizer::told(std::uint64_t trial, std::uint64_t attempt) {
  return all[{TrialId{trial}, AttemptId{attempt}}];
}

void FakeOptimizer::take(const PeerId& peer, const Message& message) {
  peer_ = peer;
  if (const auto* hello = std::get_if<Hello>(&message)) {
    hellos.push_back(*hello);
    Welcome welcome = terms;
    for (Held held : hello->held) {
      const auto found = all.find({held.trial, held.attempt});
      if (found == all.end()) continue;
      held.last_seq = found->second.reports.size();
      welcome.keep.push_back(held);
    }
    credit = 0;
    send_to(peer, std::move(welcome));
  } else if (const auto* ready = std::get_if<Ready>(&message)) {
    credit = ready->credit;
    hand_out();
  } else if (const auto* report = std::get_if<Report>(&message)) {
    take_report(peer, *report);
  } else if (const auto* done = std::get_if<Done>(&message)) {
    take_done(peer, *done);
  } else if (std::holds_alternative<Beat>(message)) {
    if (on_beat) on_beat();
    send_to(peer, Beat{terms.epoch, {}, {}});
  } else if (const auto* bye = std::get_if<Bye>(&message)) {
    byes.push_back(*bye);
  } else if (on_file) {
    on_file(message);
  }
}

void FakeOptimizer::take_report(const PeerId& peer, const Report& report) {
  Told& told = all[{report.trial, report.attempt}];
  if (report.seq == told.reports.size() + 1) {
    told.reports.push_back(report);
    if (on_report) on_report(report);
  }
  if (acknowledges) send_to(peer, Ack{report.trial, report.attempt, told.reports.size(), false});
}

void FakeOptimizer::take_done(const PeerId& peer, const Done& done) {
  Told& told = all[{done.trial, done.attempt}];
  if (told.reports.size() < done.final_seq) {
    send_to(peer, Refusal{"missing_reports", false, "", done.trial, done.attempt});
    return;
  }
  told.done = done;
  if (acknowledges) send_to(peer, Ack{done.trial, done.attempt, done.final_seq, true});
}

}  // namespace betatune::test
