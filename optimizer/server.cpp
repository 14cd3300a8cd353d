#include "optimizer/server.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "optimizer/folder_desk.hpp"
#include "optimizer/gate.hpp"
#include "optimizer/monotonic_clock.hpp"
#include "optimizer/refusal_limit.hpp"
#include "optimizer/requests.hpp"
#include "optimizer/worker_pool.hpp"
#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"
#include "transport/asio.hpp"
#include "transport/codec.hpp"
#include "transport/plain_text.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune {
namespace {

using namespace std::chrono_literals;

constexpr auto kTick = 250ms;
constexpr auto kFirstRetry = 100ms;
constexpr auto kLongestRetry = 5'000ms;
/// A launched trainer that has died this often, with none ever connected, will not come.
constexpr int kHopelessStarts = 3;
constexpr std::uint64_t kRefusalsLogged = 10;
/// How long a BYE may take to leave; on a busy machine ZeroMQ's thread may have to wait for a core.
constexpr auto kGoodbye = 2'000ms;
/// After BYE, so that trainers can end by themselves.
constexpr auto kLauncherGrace = 3'000ms;

/// What a trainer on this machine connects to where the socket listens on every address.
std::string reachable_here(std::string endpoint) {
  constexpr std::string_view kAny = "tcp://0.0.0.0:";
  if (endpoint.starts_with(kAny)) endpoint.replace(0, kAny.size(), "tcp://127.0.0.1:");
  return endpoint;
}

class Server {
 public:
  Server(const ServerParts& parts, const ServerOptions& options)
      : parts_(parts),
        options_(options),
        tick_(loop_),
        retry_(loop_),
        grace_(loop_),
        signals_(loop_, SIGINT, SIGTERM, SIGUSR1) {}

  Result<std::string> run() {
    BETATUNE_TRY(socket_, ZmqSocket::open(context_, loop_, ZmqSocket::Role::router));
    if (options_.bind.asks_for_keys) BETATUNE_CHECK(ask_for_keys());
    BETATUNE_CHECK(socket_->bind(options_.bind.endpoint));
    parts_.observer.on_listening(socket_->endpoint());
    pool_ = std::make_unique<WorkerPool>(options_.plan_threads);
    desk_ = std::make_unique<FolderDesk>(
        loop_, options_.study_directory,
        [this](const PeerId& to, const Message& message) { send(to, message); });
    take(parts_.coordinator.start(monotonic_now()));
    take_requests(true);
    step(Tick{});  // what is over without them ends now
    flush();
    if (parts_.launcher != nullptr && !over()) {
      BETATUNE_CHECK(parts_.launcher->start(
          {reachable_here(socket_->endpoint()), options_.bind.token_file,
           options_.bind.asks_for_keys ? options_.local_key_file : std::filesystem::path(),
           options_.log_directory}));
    }
    socket_->start([this] { on_readable(); });
    wait_for_signal();
    wait_for_tick();
    if (!over()) loop_.run();
    tell_refused();
    // The BYE of the last batch should still reach the trainers: who misses it waits for nobody.
    socket_->set_linger(kGoodbye);
    if (parts_.launcher != nullptr) parts_.launcher->stop(kLauncherGrace);
    pool_.reset();
    desk_.reset();
    if (failure_) return *failure_;
    return *finished_;
  }

 private:
  /// The trainers that are launched here get a key of their own, new at each start.
  Status ask_for_keys() {
    BETATUNE_ASSERT(options_.keys.has_value());
    const KeyRing& ring = *options_.keys;
    std::string local_key;
    if (parts_.launcher != nullptr) {
      BETATUNE_TRY(const KeyPair own, make_key_pair());
      local_key = own.public_key;
      BETATUNE_CHECK(write_trainer_key(options_.local_key_file,
                                       TrainerKey{"local", own, ring.server().public_key}));
    }
    gate_ = std::make_unique<Gate>(context_, loop_, ring, local_key);
    BETATUNE_CHECK(gate_->open());
    return socket_->ask_for_keys(ring.server());
  }

  bool over() const { return finished_.has_value() || failure_.has_value(); }

  // ---- inputs ----------------------------------------------------------------------------------

  void on_readable() {
    if (stalled()) return;  // the messages wait in the socket; flush() looks again
    drain_socket();
    flush();
  }

  void drain_socket() {
    Delivery delivery;
    const auto now = RefusalLimit::Clock::now();
    std::size_t bytes = 0;
    for (int i = 0; i < limits::kMessagesPerTurn && bytes < limits::kBytesPerTurn &&
                    socket_->receive(delivery);
         ++i) {
      for (const std::string& frame : delivery.frames) bytes += frame.size();
      if (refusals_.is_muted(delivery.from, now)) {
        ++refused_.unread;
        if (refusals_.ends(delivery.from)) ZmqSocket::end_connection(delivery);
        continue;
      }
      Result<Message> message = decode_message(delivery.frames);
      if (!message) {
        refuse(delivery.from, refusal_of(message.error(), delivery.frames));
      } else if (auto objection = objection_to(delivery, message.value())) {
        refuse(delivery.from, *std::move(objection));
      } else {
        hear(Received{delivery.from, std::move(message).value()});
      }
    }
  }

  void hear(Received received) {
    Effects effects = parts_.coordinator.step(received, monotonic_now());
    const bool admits_file = effects.admits_file;
    take(std::move(effects));
    if (admits_file) desk_->take(std::move(received));
  }

  std::optional<Refusal> objection_to(const Delivery& delivery, const Message& message) {
    if (!gate_) return std::nullopt;
    return gate_->objection(delivery, message, parts_.coordinator.roster());
  }

  /// Not an input of the coordinator: what cannot be read, or may not be said, changes nothing.
  void refuse(const PeerId& to, const Refusal& refusal) {
    send(to, refusal);
    // A peer that sends nothing but nonsense must not fill the log as well.
    ++told_;
    if (told_ < kRefusalsLogged) {
      log().warn("refused a message: {}: {}", refusal.code, plain_text(refusal.message));
    }
    if (told_ == kRefusalsLogged) log().warn("further refused messages are not logged");
  }

  void send(const PeerId& to, const Message& message) {
    if (socket_->send(to, encode_message(message)) == SendResult::full) ++refused_.unsent;
    const auto* refusal = std::get_if<Refusal>(&message);
    if (refusal == nullptr) return;
    ++refused_.by_code[refusal->code];
    if (refusals_.refused(to, RefusalLimit::Clock::now()) && !std::exchange(muted_, true)) {
      log().warn("a trainer is refused {} times a second: it is not listened to for a while",
                 RefusalLimit::kPerSecond);
    }
  }

  void step(const Input& input) { take(parts_.coordinator.step(input, monotonic_now())); }

  void take(Effects effects) {
    Sequence seq = batch_.empty() ? durable_seq_ : batch_.back().seq;
    for (Fact& fact : effects.append) {
      batch_.push_back(Event{++seq, effects.at_us, std::move(fact)});
    }
    std::move(effects.send.begin(), effects.send.end(), std::back_inserter(sends_));
    if (effects.plan) plans_.push_back(std::move(*effects.plan));
    if (effects.finished) finishing_ = std::move(effects.finished);
  }

  // ---- effects ---------------------------------------------------------------------------------

  bool stalled() const { return retrying_; }

  /// Facts first, then everything that the outside world can see of them.
  void flush() {
    if (over() || retrying_) return;
    if (!batch_.empty() || !taken_.empty()) {
      const Status status = parts_.store.append(durable_seq_, batch_, taken_);
      if (!status) {
        on_append_failed(status.error());
        return;
      }
      if (delay_ != kFirstRetry) {
        parts_.observer.on_notice("the study can be written again; going on");
        delay_ = kFirstRetry;
      }
      if (!batch_.empty()) durable_seq_ = batch_.back().seq;
    }
    const std::vector<Event> appended = std::exchange(batch_, {});
    taken_.clear();
    for (const Outgoing& each : std::exchange(sends_, {})) send(each.to, each.message);
    for (PlanRequest& plan : std::exchange(plans_, {})) submit(std::move(plan));
    if (!appended.empty()) parts_.observer.on_events(appended, parts_.coordinator);
    if (finishing_) {
      finished_ = std::move(finishing_);
      loop_.stop();
    }
  }

  void on_append_failed(const Error& error) {
    if (error.kind != ErrorKind::unavailable) {
      failure_ = error;
      loop_.stop();
      return;
    }
    if (delay_ == kFirstRetry) {
      parts_.observer.on_notice(error.message +
                                "; holding everything until the study can be written");
    }
    retrying_ = true;
    retry_.expires_after(delay_);
    delay_ = std::min<std::chrono::milliseconds>(delay_ * 2, kLongestRetry);
    retry_.async_wait([this](const auto& failed) {
      if (failed) return;
      retrying_ = false;
      flush();
      if (!retrying_) on_readable();
    });
  }

  void submit(PlanRequest plan) {
    pool_->submit([this, plan = std::move(plan)] {
      Planned planned{plan.plan, parts_.searcher.suggest(*plan.history, plan.count, plan.key)};
      asio::post(loop_, [this, planned = std::move(planned)] {
        step(planned);
        flush();
      });
    });
  }

  // ---- time and signals ------------------------------------------------------------------------

  void wait_for_tick() {
    tick_.expires_after(kTick);
    tick_.async_wait([this](const auto& failed) {
      if (failed) return;
      on_tick();
      wait_for_tick();
    });
  }

  void on_tick() {
    const std::vector<LaunchedTrainer> trainers =
        parts_.launcher != nullptr ? parts_.launcher->poll() : std::vector<LaunchedTrainer>{};
    if (!stalled()) {
      // What has arrived while this process was stopped or the disk was full renews leases: it
      // must be heard before the tick that would end them.
      drain_socket();
      take_requests(false);
      step(Tick{});
      flush();
    }
    refusals_.forget(RefusalLimit::Clock::now());
    desk_->tidy(parts_.coordinator.state());
    if (gate_) end_revoked();
    tell_refused();
    parts_.observer.on_files(desk_->transfers());
    parts_.observer.on_tick(parts_.coordinator, trainers);
    look_for_hopeless(trainers);
  }

  /// Their key was revoked while they were connected: what they hold goes to others at once, and
  /// not when they have been silent for a lease.
  void end_revoked() {
    const std::vector<PeerId> revoked = gate_->refresh(parts_.coordinator.roster());
    if (stalled()) return;
    for (const PeerId& peer : revoked) {
      refuse(peer, Refusal{"bad_key", true, "this key is not allowed any more", {}, {}});
      step(Received{peer, Bye{"its key is not allowed any more", false}});
    }
    flush();
  }

  void tell_refused() {
    if (gate_) refused_.turned_away = gate_->turned_away();
    refused_.parts = desk_->dropped();
    parts_.observer.on_refused(refused_);
  }

  void look_for_hopeless(const std::vector<LaunchedTrainer>& trainers) {
    joined_ = joined_ || !parts_.coordinator.roster().all().empty();
    if (joined_ || trainers.empty()) return;
    for (const LaunchedTrainer& each : trainers) {
      if (!each.alive && last_detail_ != each.detail + each.name) {
        last_detail_ = each.detail + each.name;
        ++dead_starts_;
      } else if (each.alive) {
        last_detail_.clear();
      }
    }
    if (dead_starts_ < kHopelessStarts * static_cast<int>(trainers.size())) return;
    finished_ = "no_trainer";
    loop_.stop();
  }

  void take_requests(bool at_start) {
    const auto requests = parts_.store.requests();
    if (!requests) {
      log().warn("cannot read requests: {}", requests.error().message);
      return;
    }
    for (const StoredRequest& request : requests.value()) {
      if (std::find(taken_.begin(), taken_.end(), request.id) != taken_.end()) continue;
      const auto input = input_of(request, parts_.coordinator.spec().space);
      // "Stop" was meant for the optimizer that ran then.
      const bool stale = at_start && input && std::holds_alternative<DrainRequest>(input.value());
      if (input && !stale) step(input.value());
      if (!input) {
        parts_.observer.on_notice("a request was refused: " + input.error().message);
      }
      taken_.push_back(request.id);
    }
  }

  void wait_for_signal() {
    signals_.async_wait([this](const auto& failed, int signal) {
      if (failed) return;
      signal == SIGUSR1 ? finish_what_runs() : on_interrupt();
      wait_for_signal();
    });
  }

  /// What a batch system sends some time before it ends the job.
  void finish_what_runs() {
    parts_.observer.on_notice("asked to finish (SIGUSR1): nothing new starts");
    step(DrainRequest{"interrupted"});
    flush();
  }

  void on_interrupt() {
    if (interrupted_) {
      step(CancelRequest{});
    } else {
      interrupted_ = true;
      parts_.observer.on_notice("finishing what runs; interrupt again to stop at once");
      step(DrainRequest{"interrupted"});
      grace_.expires_after(options_.drain_grace);
      grace_.async_wait([this](const auto& failed) {
        if (failed) return;
        parts_.observer.on_notice("the grace time is over; stopping what still runs");
        step(CancelRequest{});
        flush();
      });
    }
    flush();
  }

  ServerParts parts_;
  ServerOptions options_;
  // Declared before everything that posts to it; the threads of pool and desk end in run().
  asio::io_context loop_;
  ZmqContext context_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<ZmqSocket> socket_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<FolderDesk> desk_;
  asio::steady_timer tick_, retry_, grace_;
  asio::signal_set signals_;

  /// The coordinator's state runs ahead of the disk by exactly the batch.
  Sequence durable_seq_ = parts_.coordinator.state().seq;
  std::vector<Event> batch_;
  std::vector<std::int64_t> taken_;  ///< requests that the batch answers
  std::vector<Outgoing> sends_;
  std::vector<PlanRequest> plans_;
  bool retrying_ = false;
  std::chrono::milliseconds delay_ = kFirstRetry;
  bool interrupted_ = false;
  Refused refused_;
  std::uint64_t told_ = 0;  ///< refusals that the log tells of
  RefusalLimit refusals_;
  bool muted_ = false;  ///< it has been said
  bool joined_ = false;
  int dead_starts_ = 0;
  std::string last_detail_;
  std::optional<std::string> finishing_, finished_;
  std::optional<Error> failure_;
};

}  // namespace

Result<std::string> serve(const ServerParts& parts, const ServerOptions& options) {
  return Server(parts, options).run();
}

}  // namespace betatune
