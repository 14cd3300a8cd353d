#include "trainers/agent.hpp"

#include <csignal>
#include <cstdio>
#include <memory>

#include "searchspaces/limits.hpp"
#include "searchspaces/log.hpp"
#include "trainers/attempt_pool.hpp"
#include "trainers/posix.hpp"
#include "transport/asio.hpp"
#include "transport/codec.hpp"
#include "transport/random_hex.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune {
namespace {

constexpr Milliseconds kTick{50};
constexpr Milliseconds kLinger{1'000};
/// A batch system's signal may come twice, to this process and through the one that started it.
constexpr Milliseconds kSameSignal{1'000};

class Agent {
 public:
  explicit Agent(const AgentSetup& setup)
      : setup_(setup),
        core_(setup.options),
        courier_(setup.files, outside()),
        pool_(loop_, listener(), setup.kill_grace),
        timer_(loop_),
        signals_(loop_, SIGTERM, SIGINT, SIGUSR1) {}

  int run() {
    wait_for_signal();
    open_session();
    wait_for_tick();
    loop_.run();
    socket_.reset();
    log().info("{} leaves: {}", setup_.options.name, leave_.reason);
    return leave_.status;
  }

 private:
  AttemptPool::Listener listener() {
    return {
        [this](const WorkKey& key, const WorkerMessage& said) { courier_.said(key, said); },
        [this](const WorkKey& key, const ProcessEnd& end) { courier_.over(key, end); },
        [this](const WorkKey& key, const AttemptFailure& failure) { courier_.over(key, failure); },
        [this](const WorkKey& key) { return core_.may_read(key); },
        [this](const WorkKey& key, bool waits) { core_.files_travel(key, waits, now()); }};
  }

  Courier::Outside outside() {
    return {[this](const Message& message) { carry_out(SendMessage{message}); },
            [this](const WorkKey& key, const Assign& assign) { pool_.start(key, assign); },
            [this](const WorkKey& key, Action action) { pool_.tell(key, action); },
            [this](const WorkKey& key) { pool_.end(key); },
            [this](const WorkKey& key, const WorkerMessage& said) {
              perform(core_.work_said(key, said, now()));
            },
            [this](const WorkKey& key, const WorkFate& fate) { over(key, fate); },
            [this](const WorkKey& key, bool travel) { core_.files_travel(key, travel, now()); }};
  }

  void over(const WorkKey& key, const WorkFate& fate) {
    if (const auto* end = std::get_if<ProcessEnd>(&fate)) {
      perform(core_.work_ended(key, *end, now()));
    } else {
      perform(core_.work_failed(key, std::get<AttemptFailure>(fate), now()));
    }
  }

  static Milliseconds now() { return monotonic_ms(); }

  void open_session() {
    socket_.reset();
    auto socket = connected_socket();
    if (!socket)
      return end({kExitUsage, "--connect " + setup_.endpoint + ": " + socket.error().message});
    socket_ = std::move(socket).value();
    perform(core_.connected(random_hex(), now()));
  }

  Result<std::unique_ptr<ZmqSocket>> connected_socket() {
    BETATUNE_TRY(auto socket, ZmqSocket::open(context_, loop_, ZmqSocket::Role::dealer));
    // A last DONE or BYE still leaves after the socket is closed.
    socket->set_linger(kLinger);
    BETATUNE_CHECK(socket->watch_connection({[this] {
                                               // The last words of the connection, a BYE, would be
                                               // closed with the socket.
                                               take_all();
                                               perform(core_.disconnected(now()));
                                             },
                                             [this] {
                                               end({kExitAuthentication, refused_text()});
                                             }}));
    if (setup_.key) BETATUNE_CHECK(socket->show_key(*setup_.key));
    BETATUNE_CHECK(socket->connect(setup_.endpoint));
    socket->start([this] { take_all(); });
    return socket;
  }

  std::string refused_text() const {
    return setup_.endpoint +
           (setup_.key ? ": the optimizer does not let the key `" + setup_.key->name +
                             "` in, or asks for none; `betatune key list`, where it runs, says who "
                             "is allowed"
                       : ": the optimizer asks for a key; `betatune key new NAME`, where it runs, "
                         "makes one for --key");
  }

  void take_all() {
    Delivery delivery;
    for (int i = 0; i < limits::kMessagesPerTurn && socket_ && socket_->receive(delivery); ++i) {
      const auto message = decode_message(delivery.frames);
      if (message) {
        perform(core_.received(message.value(), now()));
        courier_.received(message.value(), now());
      } else {
        log().warn("a message that cannot be read: {}", message.error().message);
      }
    }
    pool_.resume_reading();
  }

  void perform(AgentEffects effects) {
    for (AgentEffect& effect : effects) {
      std::visit([this](auto& each) { carry_out(each); }, effect);
    }
  }
  void carry_out(const SendMessage& send) {
    // A message that the socket cannot take is sent again: reports after the next WELCOME or
    // missing_reports, DONE and BEAT by the clock.
    if (socket_ && socket_->send({}, encode_message(send.message)) != SendResult::sent) {
      log().debug("the connection to the optimizer takes no messages now");
    }
  }
  void carry_out(const NewSession&) {
    // Not from inside the socket's own callback.
    asio::post(loop_, [this] {
      if (!left_) open_session();
    });
  }
  void carry_out(const StartWork& start) { courier_.start(start.key, start.assign); }
  void carry_out(const TellWork& tell) { courier_.tell(tell.key, tell.action); }
  void carry_out(const EndWork& work) { courier_.end(work.key, work.unwanted); }
  void carry_out(const Leave& leave) { end(leave); }

  void end(const Leave& leave) {
    if (left_) return;
    left_ = true;
    leave_ = leave;
    if (leave.status != 0) std::fprintf(stderr, "betatune-trainer: %s\n", leave.reason.c_str());
    loop_.stop();
  }

  void wait_for_tick() {
    timer_.expires_after(kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      perform(core_.tick(now()));
      courier_.tick(core_.welcome(), now());
      if (!working_) work();
      wait_for_tick();
    });
  }

  /// Between two parts, messages, workers and the clock have their turns.
  void work() {
    working_ = courier_.work(now());
    if (working_) asio::post(loop_, [this] { work(); });
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGUSR1) {
        perform(core_.drain("asked to finish (SIGUSR1)", now()));
      } else if (!hurried_at_) {
        hurried_at_ = now();
        perform(core_.hurry(signal == SIGINT ? "interrupted (SIGINT)" : "asked to end (SIGTERM)",
                            now()));
      } else if (now() - *hurried_at_ >= kSameSignal) {
        return end({kExitResumable, "ended at once by a second signal"});
      }
      wait_for_signal();
    });
  }

  AgentSetup setup_;
  ZmqContext context_;
  asio::io_context loop_;
  AgentCore core_;
  Courier courier_;
  AttemptPool pool_;
  std::unique_ptr<ZmqSocket> socket_;
  asio::steady_timer timer_;
  asio::signal_set signals_;
  Leave leave_;
  bool working_ = false;
  bool left_ = false;
  std::optional<Milliseconds> hurried_at_;
};

}  // namespace

int run_agent(const AgentSetup& setup) {
  return Agent(setup).run();
}

}  // namespace betatune
