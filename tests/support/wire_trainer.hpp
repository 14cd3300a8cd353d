#pragma once
/// A trainer that speaks BTP/1 over a real socket and computes in no time: for tests of the server
/// and for measuring it. Also the shortest complete trainer in this repository: docs/protocol.md
/// says what it must do, this does it.

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "transport/codec.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune::support {

struct WireTrainerOptions {
  std::string endpoint;
  std::string name = "wire";
  std::string token;
  std::optional<TrainerKey> key;
  int slots = 1;
  /// Loss of a configuration at a step.
  std::function<double(const Configuration&, Step)> loss = [](const Configuration&, Step) {
    return 0.0;
  };
  std::function<void(const Assign&)> on_assign = [](const Assign&) {};
  std::function<void(const Ack&)> on_ack = [](const Ack&) {};
  bool outlives_studies = false;  ///< does not end at BYE
  bool send_twice = false;        ///< every message, as a network may
  int reconnect_every = 0;        ///< a new session after so many assignments; 0: never
  int garbage_every = 0;          ///< a message of nonsense after so many assignments; 0: never
  std::chrono::milliseconds repeat_after{500};
};

class WireTrainer {
 public:
  explicit WireTrainer(WireTrainerOptions options) : options_(std::move(options)), timer_(loop_) {}

  /// Until the optimizer says BYE or a refusal is fatal. Call from a thread of its own.
  void run() {
    open_session();
    tick();
    loop_.run();
    socket_.reset();
  }
  /// From any thread.
  void stop() {
    asio::post(loop_, [this] { loop_.stop(); });
  }

  std::atomic<std::int64_t> assigned{0};
  std::atomic<std::int64_t> refused{0};
  std::atomic<std::int64_t> turned_away{0};  ///< connections, before a word was said
  std::string last_refusal;                  ///< read it after run()

 private:
  using WorkKey = std::pair<TrialId, AttemptId>;
  struct Work {
    std::map<std::uint64_t, Report> unacknowledged;
    Done done;
  };

  void open_session() {
    auto socket = ZmqSocket::open(context_, loop_, ZmqSocket::Role::dealer);
    BETATUNE_ASSERT(bool(socket));
    socket_ = std::move(socket).value();
    socket_->set_linger(std::chrono::milliseconds(200));
    if (options_.key) {
      const Status watched = socket_->watch_connection({[] {}, [this] { ++turned_away; }});
      BETATUNE_ASSERT(bool(watched));
      const Status shown = socket_->show_key(*options_.key);
      BETATUNE_ASSERT(bool(shown));
    }
    const Status connected = socket_->connect(options_.endpoint);
    BETATUNE_ASSERT(bool(connected));
    socket_->start([this] { receive(); });
    welcome_ = false;
    ++session_;
    say_hello();
  }

  void say_hello() {
    Hello hello;
    hello.trainer = options_.name;
    hello.session = std::to_string(100'000'000 + session_);
    hello.token = options_.token;
    hello.slots = options_.slots;
    hello.sdk = "wire_trainer";
    hello.held = held();
    send(hello);
  }

  void say_ready() { send(Ready{options_.slots - static_cast<int>(work_.size())}); }

  std::vector<Held> held() const {
    std::vector<Held> all;
    for (const auto& [key, work] : work_) {
      all.push_back({key.first, key.second, work.done.final_seq, work.done.step});
    }
    return all;
  }

  void send(const Message& message) {
    const Frames frames = encode_message(message);
    socket_->send({}, frames);
    if (options_.send_twice) socket_->send({}, frames);
  }

  void receive() {
    Delivery delivery;
    for (int i = 0; i < 256 && socket_ && socket_->receive(delivery); ++i) {
      const auto message = decode_message(delivery.frames);
      BETATUNE_ASSERT(bool(message));
      std::visit([this](const auto& each) { on(each); }, message.value());
    }
  }

  void on(const Welcome& welcome) {
    if (std::exchange(welcome_, true)) return;
    for (const Held& held : welcome.drop) work_.erase({held.trial, held.attempt});
    say_ready();
    repeat();
  }
  void on(const Assign& assign) {
    const WorkKey key{assign.trial, assign.attempt};
    if (work_.count(key) != 0) return;
    const auto count = ++assigned;
    options_.on_assign(assign);
    Work work;
    for (Step step = assign.from + 1; step <= assign.until; ++step) {
      const auto seq = static_cast<std::uint64_t>(step - assign.from);
      Report report{assign.trial, assign.attempt, seq, step, {}, {}};
      report.metrics[assign.job.objective] = options_.loss(assign.params, step);
      send(report);
      work.unacknowledged.emplace(seq, std::move(report));
    }
    work.done = Done{assign.trial,
                     assign.attempt,
                     work.unacknowledged.size(),
                     assign.until,
                     AttemptEnd::reached,
                     {},
                     {}};
    send(work.done);
    work_.emplace(key, std::move(work));
    if (options_.garbage_every > 0 && count % options_.garbage_every == 0) {
      socket_->send({}, {"BTP1", "REPORT", "{\"trial\": ["});
      socket_->send({}, Frames(100, "x"));
      socket_->send({}, {"DANCE"});
    }
    if (options_.reconnect_every > 0 && count % options_.reconnect_every == 0) {
      asio::post(loop_, [this] {
        socket_.reset();
        open_session();
      });
    }
  }
  void on(const Ack& ack) {
    options_.on_ack(ack);
    const auto found = work_.find({ack.trial, ack.attempt});
    if (found == work_.end()) return;
    auto& waiting = found->second.unacknowledged;
    waiting.erase(waiting.begin(), waiting.upper_bound(ack.seq));
    if (!ack.done) return;
    work_.erase(found);
    say_ready();
  }
  void on(const Beat& beat) {
    for (const Held& held : beat.drop) work_.erase({held.trial, held.attempt});
  }
  void on(const Bye&) {
    if (!options_.outlives_studies) loop_.stop();
  }
  void on(const Refusal& refusal) {
    ++refused;
    last_refusal = refusal.code;
    if (refusal.code == "stale_attempt" && refusal.trial && refusal.attempt) {
      work_.erase({*refusal.trial, *refusal.attempt});
    }
    if (refusal.code == "not_welcome") say_hello();
    if (refusal.fatal) loop_.stop();
  }
  template <class Other>
  void on(const Other&) {}

  /// What has not been acknowledged is offered again, in order.
  void repeat() {
    for (const auto& [key, work] : work_) {
      for (const auto& [seq, report] : work.unacknowledged) send(report);
      send(work.done);
    }
  }

  void tick() {
    timer_.expires_after(options_.repeat_after);
    timer_.async_wait([this](const boost::system::error_code& failed) {
      if (failed) return;
      if (welcome_) {
        Beat beat;
        beat.held = held();
        send(beat);
        // Absolute, and said again with every beat: one that was lost would leave slots empty.
        say_ready();
        repeat();
      } else {
        say_hello();
      }
      tick();
    });
  }

  WireTrainerOptions options_;
  ZmqContext context_;
  asio::io_context loop_;
  asio::steady_timer timer_;
  std::unique_ptr<ZmqSocket> socket_;
  std::map<WorkKey, Work> work_;
  int session_ = 0;
  bool welcome_ = false;
};

}  // namespace betatune::support
