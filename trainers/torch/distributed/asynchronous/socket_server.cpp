#include "trainers/torch/distributed/asynchronous/socket_server.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "trainers/torch/distributed/asynchronous/connection.hpp"
#include "trainers/trainer.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr std::uint64_t kMostLayers = 1'000'000;

}  // namespace

class SocketServer::Loop {
 public:
  Loop(SocketServerSettings settings, Layers centre);
  Loop(SocketServerSettings settings, std::unique_ptr<Service> service);
  ~Loop() { ::close(wake_); }
  void run();
  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(wake_, &one, sizeof one);
  }

  SocketServerSettings settings_;
  Configured configured_;
  std::unique_ptr<Service> service_;
  const ServerCore* journaled_ = nullptr;  ///< service_, if there is a journal
  std::unique_ptr<Journal> journal_;
  Listener listener_;
  int wake_ = -1;
  std::atomic<bool> stopping_{false};
  std::vector<std::atomic<std::uint64_t>> requests_;  ///< of each worker

 private:
  void start();
  void turn();
  void accept_all();
  void read_from(Connection& c);
  void take(Connection& c);
  void greet(Connection& c);
  void push(Connection& c);
  void pull(Connection& c);
  void answer(Connection& c, const Answer& answer, bool with_weights);
  void before_a_change();
  void drop_lost();
  void leave(int worker);
  void take_leave_of_the_gone();
  FrameLimits limits_for(const Connection& c) const;
  int next_timeout() const;

  std::list<Connection> connections_;
  std::map<int, Connection*> of_worker_;
  std::map<int, Deadline> gone_at_;  ///< workers without a connection
  Sizes sizes_;
  std::uint64_t all_values_ = 0;
};

SocketServer::Loop::Loop(SocketServerSettings settings, std::unique_ptr<Service> service)
    : settings_(std::move(settings)),
      configured_(read_strategy(settings_.strategy, settings_.workers)),
      service_(std::move(service)),
      requests_(static_cast<std::size_t>(settings_.workers)) {
  start();
}

SocketServer::Loop::Loop(SocketServerSettings settings, Layers centre)
    : settings_(std::move(settings)),
      configured_(read_strategy(settings_.strategy, settings_.workers)),
      requests_(static_cast<std::size_t>(settings_.workers)) {
  auto core = std::make_unique<ServerCore>(*configured_.strategy, std::move(centre),
                                           settings_.workers, configured_.staleness_bound);
  if (settings_.journal) {
    journal_ = std::make_unique<Journal>(*settings_.journal, *core);
    journaled_ = core.get();
  }
  service_ = std::move(core);
  start();
}

void SocketServer::Loop::start() {
  sizes_ = service_->sizes();
  for (const auto size : sizes_) all_values_ += size;
  listener_ = listen_at(settings_.address);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void SocketServer::Loop::run() {
  try {
    while (!stopping_) {
      turn();
      drop_lost();
      take_leave_of_the_gone();
    }
  } catch (...) {
    // So that the workers learn of it at once, and not by their timeouts.
    connections_.clear();
    listener_.socket.close();
    throw;
  }
}

int SocketServer::Loop::next_timeout() const {
  auto soonest = SteadyClock::now() + std::chrono::hours(1);
  for (const auto& [worker, when] : gone_at_) soonest = std::min(soonest, when);
  for (const auto& c : connections_)
    soonest = std::min(soonest, c.drains_until().value_or(soonest));
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(soonest - SteadyClock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void SocketServer::Loop::turn() {
  std::vector<pollfd> wanted{{wake_, POLLIN, 0}, {listener_.socket.fd(), POLLIN, 0}};
  for (const auto& c : connections_) {
    // Nothing is read while an answer goes out: one request, one answer.
    wanted.push_back({c.fd(), static_cast<short>(c.has_answer() ? POLLOUT : POLLIN), 0});
  }
  if (::poll(wanted.data(), wanted.size(), next_timeout()) <= 0) return;
  std::size_t at = 2;
  for (auto& c : connections_) {
    const short ready = wanted[at++].revents;
    if (ready == 0) continue;
    if (c.has_answer()) {
      c.send();
    } else if (c.drains_until()) {
      c.drain();
    } else {
      read_from(c);
    }
  }
  if (wanted[1].revents != 0) accept_all();
  // The next turn starts with the next connection.
  if (connections_.size() > 1) {
    connections_.splice(connections_.end(), connections_, connections_.begin());
  }
}

void SocketServer::Loop::accept_all() {
  while (Socket socket = accept_from(listener_.socket))
    connections_.emplace_back(std::move(socket));
}

FrameLimits SocketServer::Loop::limits_for(const Connection& c) const {
  const auto layers = static_cast<std::uint64_t>(sizes_.size());
  if (!c.greeted) return {16 * kMostLayers, 0};
  return {64 + 8 * layers, c.worker == kObserver ? 0 : all_values_};
}

void SocketServer::Loop::read_from(Connection& c) {
  try {
    if (c.read(limits_for(c))) take(c);
  } catch (const Garbled& garbled) {
    c.refuse(garbled.what());
  }
}

void SocketServer::Loop::take(Connection& c) {
  const auto kind = c.kind();
  if (!c.greeted) {
    if (kind != FrameKind::hello) throw Garbled("a connection must begin with a hello");
    return greet(c);
  }
  if (c.worker != kObserver) ++requests_[static_cast<std::size_t>(c.worker)];
  if (kind == FrameKind::pull) return pull(c);
  if (c.worker != kObserver && kind == FrameKind::push) return push(c);
  if (c.worker != kObserver && kind == FrameKind::leave) {
    leave(c.worker);
    of_worker_.erase(c.worker);
    c.lost = true;
    return;
  }
  throw Garbled("a frame of kind " + std::to_string(static_cast<int>(kind)) + " is not expected");
}

void SocketServer::Loop::greet(Connection& c) {
  const Hello hello = read_hello(c.meta());
  if (hello.worker < kObserver || hello.worker >= settings_.workers) {
    return c.refuse("rank " + std::to_string(hello.worker) + " is not one of the " +
                    std::to_string(settings_.workers) + " workers");
  }
  const std::string who =
      hello.worker == kObserver ? "the observer" : "rank " + std::to_string(hello.worker);
  if (hello.worker != kObserver && hello.identity != configured_.identity) {
    return c.refuse(who + " has the settings " + hello.identity + ", this server has " +
                    configured_.identity + "; give all the same");
  }
  if (hello.sizes != sizes_) {
    return c.refuse(who +
                    " has another model: its layers for this server differ in number or size");
  }
  c.greeted = true;
  c.worker = hello.worker;
  std::uint64_t last = 0;
  if (hello.worker != kObserver) {
    // An older connection of the same worker is dead, whatever it thinks.
    const auto old = of_worker_.find(hello.worker);
    if (old != of_worker_.end()) {
      old->second->lost = true;
      old->second->worker = kObserver;
    }
    service_->forget_answer(hello.worker);
    of_worker_[hello.worker] = &c;
    gone_at_.erase(hello.worker);
    last = service_->last_sequence(hello.worker);
  }
  Bytes meta;
  Writer(meta).number(last);
  c.answer(FrameKind::welcome, meta, {});
}

void SocketServer::Loop::push(Connection& c) {
  Reader in(c.meta());
  Push push{c.worker, in.number<std::uint64_t>(), {}, {}};
  const bool with_weights = in.number<std::uint8_t>() != 0;
  std::size_t at = 0;
  for (const std::size_t size : sizes_) {
    push.bases.push_back(in.number<std::uint64_t>());
    if (at + size > c.values().size()) throw Garbled("a push with too few values");
    push.values.push_back(c.values().subspan(at, size));
    at += size;
  }
  if (at != c.values().size()) throw Garbled("a push with too many values");
  try {
    service_->check(push);
  } catch (const plugin::Failure& failure) {
    return c.refuse(failure.what());
  }
  if (journal_ && !service_->is_repeated(push)) journal_->record(push);
  before_a_change();
  service_->push(push, [this, worker = c.worker, with_weights](const Answer& a) {
    const auto found = of_worker_.find(worker);
    if (found != of_worker_.end()) answer(*found->second, a, with_weights);
  });
  if (journal_) journal_->compact(*journaled_);
}

void SocketServer::Loop::pull(Connection& c) {
  service_->pull([&](const Answer& a) { answer(c, a, true); });
}

void SocketServer::Loop::answer(Connection& c, const Answer& a, bool with_weights) {
  Bytes meta;
  Writer writer(meta);
  writer.number(a.sequence).number(static_cast<std::uint8_t>(a.accepted));
  for (const auto version : a.versions) writer.number(version);
  if (with_weights) {
    c.answer(FrameKind::answer, meta, a.centre);
  } else {
    c.answer(FrameKind::answer, meta, {});
  }
  if (!a.lasts) c.keep();
}

/// Answers on their way are of the weights as they are.
void SocketServer::Loop::before_a_change() {
  for (auto& c : connections_) c.keep();
}

void SocketServer::Loop::drop_lost() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    if (!it->lost && !(it->drains_until() && *it->drains_until() <= SteadyClock::now())) {
      ++it;
      continue;
    }
    const auto owner = of_worker_.find(it->worker);
    if (owner != of_worker_.end() && owner->second == &*it) {
      of_worker_.erase(owner);
      service_->forget_answer(it->worker);
      gone_at_[it->worker] = SteadyClock::now() + settings_.gone_after;
    }
    it = connections_.erase(it);
  }
}

void SocketServer::Loop::leave(int worker) {
  if (!service_->active(worker)) return;
  if (journal_) journal_->record_leave(worker);
  before_a_change();
  service_->leave(worker);
}

void SocketServer::Loop::take_leave_of_the_gone() {
  const auto now = SteadyClock::now();
  for (auto it = gone_at_.begin(); it != gone_at_.end();) {
    if (it->second > now) {
      ++it;
    } else {
      leave(it->first);
      it = gone_at_.erase(it);
    }
  }
}

SocketServer::SocketServer(SocketServerSettings settings, Layers centre)
    : loop_(std::make_unique<Loop>(std::move(settings), std::move(centre))) {}

SocketServer::SocketServer(SocketServerSettings settings, std::unique_ptr<Service> service)
    : loop_(std::make_unique<Loop>(std::move(settings), std::move(service))) {}

SocketServer::~SocketServer() = default;

const std::string& SocketServer::address() const {
  return loop_->listener_.address;
}

void SocketServer::run() {
  loop_->run();
}

void SocketServer::stop() {
  loop_->stopping_ = true;
  loop_->wake();
}

ServiceReport SocketServer::report() const {
  return loop_->service_->report();
}

std::uint64_t SocketServer::requests_of(int worker) const {
  return loop_->requests_.at(static_cast<std::size_t>(worker));
}

ServerThread::ServerThread(SocketServerSettings settings, Layers centre)
    : server_(std::move(settings), std::move(centre)), thread_([this] { run(); }) {}

ServerThread::ServerThread(SocketServerSettings settings, std::unique_ptr<Service> service)
    : server_(std::move(settings), std::move(service)), thread_([this] { run(); }) {}

void ServerThread::run() {
  try {
    server_.run();
  } catch (...) {
    error_ = std::current_exception();
  }
}

ServerThread::~ServerThread() {
  server_.stop();
  if (thread_.joinable()) thread_.join();
}

ServiceReport ServerThread::stop() {
  server_.stop();
  if (thread_.joinable()) thread_.join();
  if (error_) std::rethrow_exception(error_);
  return server_.report();
}

}  // namespace betatune::distributed::asynchronous
