#include "transport/zmq_socket.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/socket.h>
#include <zmq.h>

#include "searchspaces/limits.hpp"
#include "transport/accept_guard.hpp"

namespace betatune {
namespace {

constexpr int kHandshakeMs = 5'000;
constexpr int kBacklog = 1'024;
constexpr int kReconnectFirstMs = 50;
constexpr int kReconnectMostMs = 2'000;

void set_option(void* socket, int option, int value) {
  const int failed = zmq_setsockopt(socket, option, &value, sizeof value);
  BETATUNE_ASSERT(failed == 0);
}

int int_option(void* socket, int option) {
  int value = 0;
  std::size_t size = sizeof value;
  return zmq_getsockopt(socket, option, &value, &size) == 0 ? value : 0;
}

bool readable_now(void* socket) {
  return (int_option(socket, ZMQ_EVENTS) & ZMQ_POLLIN) != 0;
}

Error last_error(const std::string& doing, const std::string& endpoint) {
  const int code = zmq_errno();
  std::string advice;
  if (code == EADDRINUSE) advice = "; another process listens there, choose another server.bind";
  if (code == EACCES) advice = "; the folder must be writable for you";
  const bool busy = code == EADDRINUSE || code == EMFILE || code == EACCES;
  return Error{busy ? ErrorKind::unavailable : ErrorKind::invalid_argument,
               endpoint + ": cannot " + doing + ": " + zmq_strerror(code) + advice};
}

/// One frame's message, closed on every path.
class Part {
 public:
  Part() { zmq_msg_init(&message_); }
  ~Part() { zmq_msg_close(&message_); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;
  bool receive(void* socket) {
    int got = 0;
    do {
      got = zmq_msg_recv(&message_, socket, ZMQ_DONTWAIT);
    } while (got < 0 && zmq_errno() == EINTR);
    return got >= 0;
  }
  bool more() { return zmq_msg_more(&message_) != 0; }
  std::string property(const char* name) {
    const char* found = zmq_msg_gets(&message_, name);
    return found == nullptr ? std::string() : std::string(found);
  }
  /// The descriptor of the connection it came by, -1 if there is none. source: zmq_msg_get(3),
  /// ZMQ_SRCFD
  int connection() { return zmq_msg_get(&message_, ZMQ_SRCFD); }
  std::string text() {
    return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
  }

 private:
  zmq_msg_t message_{};
};

Error no_curve() {
  return Error{ErrorKind::unsupported,
               std::string("this libzmq cannot use keys: ") + zmq_strerror(zmq_errno())};
}

/// The number of a monitor's event, from its first frame. source: zmq_socket_monitor(3)
int event_of(const std::string& frame) {
  std::uint16_t number = 0;
  if (frame.size() >= sizeof number) std::memcpy(&number, frame.data(), sizeof number);
  return number;
}

constexpr int kLost = ZMQ_EVENT_DISCONNECTED;
constexpr int kRefused = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

bool send_part(void* socket, const std::string& bytes, bool more) {
  int sent = 0;
  do {
    sent = zmq_send(socket, bytes.data(), bytes.size(), ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0));
  } while (sent < 0 && zmq_errno() == EINTR);
  return sent >= 0;
}

}  // namespace

ZmqContext::ZmqContext() : handle_(zmq_ctx_new()) {
  BETATUNE_ASSERT(handle_ != nullptr);
  guard_accept();
}
ZmqContext::~ZmqContext() {
  while (zmq_ctx_term(handle_) != 0 && zmq_errno() == EINTR) {
  }
}

/// One socket's descriptor in the loop. Handlers hold it by shared_ptr, so that one that is already
/// queued when the socket closes finds `socket` null instead of freed memory.
struct ZmqSocket::Watch : std::enable_shared_from_this<Watch> {
  Watch(asio::io_context& loop_, void* socket_, std::function<void()> call_)
      : loop(loop_), socket(socket_), call(std::move(call_)), descriptor(loop_) {
    descriptor.assign(int_option(socket, ZMQ_FD));
  }

  void begin() {
    wait();
    // A reader that has never looked is not woken for its first message either.
    look();
  }
  void wait() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& failed) {
                            if (failed || self->socket == nullptr) return;
                            self->look();
                            self->wait();
                          });
  }
  /// Queues a call if messages wait and none is queued yet.
  void look() {
    if (queued || socket == nullptr || !readable_now(socket)) return;
    queued = true;
    asio::post(loop, [self = shared_from_this()] {
      self->queued = false;
      if (self->socket == nullptr) return;
      self->call();
      self->look();
    });
  }
  void end() {
    socket = nullptr;
    // The descriptor is ZeroMQ's: closing it here would close a stranger's later.
    descriptor.cancel();
    descriptor.release();
  }

  asio::io_context& loop;
  void* socket;
  std::function<void()> call;
  asio::posix::stream_descriptor descriptor;
  bool queued = false;
};

Result<std::unique_ptr<ZmqSocket>> ZmqSocket::open(ZmqContext& context, asio::io_context& loop,
                                                   Role role) {
  void* handle = zmq_socket(context.handle_, role == Role::router ? ZMQ_ROUTER : ZMQ_DEALER);
  if (handle == nullptr) {
    return Error{ErrorKind::unavailable, std::string("cannot open a ZeroMQ socket: ") +
                                             zmq_strerror(zmq_errno()) +
                                             "; raise the limit of open files (ulimit -n)"};
  }
  return std::unique_ptr<ZmqSocket>(new ZmqSocket(context.handle_, handle, loop, role));
}

ZmqSocket::ZmqSocket(void* context, void* handle, asio::io_context& loop, Role role)
    : context_(context), handle_(handle), loop_(loop), role_(role) {
  set_linger(std::chrono::milliseconds(0));
  set_option(handle_, ZMQ_SNDHWM, kHighWaterMessages);
  set_option(handle_, ZMQ_RCVHWM, kHighWaterMessages);
  set_option(handle_, ZMQ_HANDSHAKE_IVL, kHandshakeMs);
  const std::int64_t most = limits::kMessageBytes;
  const int failed = zmq_setsockopt(handle_, ZMQ_MAXMSGSIZE, &most, sizeof most);
  BETATUNE_ASSERT(failed == 0);
  if (role_ == Role::router) {
    // A peer that is gone is an answer, not silence; and nobody takes over another's routing id.
    set_option(handle_, ZMQ_ROUTER_MANDATORY, 1);
    set_option(handle_, ZMQ_ROUTER_HANDOVER, 0);
    set_option(handle_, ZMQ_BACKLOG, kBacklog);
  } else {
    set_option(handle_, ZMQ_RECONNECT_IVL, kReconnectFirstMs);
    set_option(handle_, ZMQ_RECONNECT_IVL_MAX, kReconnectMostMs);
  }
}

ZmqSocket::~ZmqSocket() {
  if (messages_) messages_->end();
  if (connection_) {
    void* pair = connection_->socket;
    connection_->end();
    zmq_socket_monitor(handle_, nullptr, 0);
    zmq_close(pair);
  }
  zmq_close(handle_);
}

void ZmqSocket::set_linger(std::chrono::milliseconds linger) {
  set_option(handle_, ZMQ_LINGER, static_cast<int>(linger.count()));
}

Status ZmqSocket::ask_for_keys(const KeyPair& own) {
  constexpr std::string_view kDomain = "betatune";
  zmq_setsockopt(handle_, ZMQ_ZAP_DOMAIN, kDomain.data(), kDomain.size());
  const int yes = 1;
  if (zmq_setsockopt(handle_, ZMQ_CURVE_SERVER, &yes, sizeof yes) != 0 ||
      zmq_setsockopt(handle_, ZMQ_CURVE_SECRETKEY, own.secret_key.c_str(),
                     own.secret_key.size() + 1) != 0) {
    return no_curve();
  }
  asks_for_keys_ = true;
  return Ok{};
}

Status ZmqSocket::show_key(const TrainerKey& key) {
  for (const auto& [option, text] : {std::pair{ZMQ_CURVE_SERVERKEY, &key.server},
                                     {ZMQ_CURVE_PUBLICKEY, &key.own.public_key},
                                     {ZMQ_CURVE_SECRETKEY, &key.own.secret_key}}) {
    if (zmq_setsockopt(handle_, option, text->c_str(), text->size() + 1) != 0) return no_curve();
  }
  return Ok{};
}

Status ZmqSocket::bind(const std::string& endpoint) {
  if (zmq_bind(handle_, endpoint.c_str()) != 0) return last_error("listen", endpoint);
  return Ok{};
}

Status ZmqSocket::connect(const std::string& endpoint) {
  if (zmq_connect(handle_, endpoint.c_str()) != 0) return last_error("connect", endpoint);
  return Ok{};
}

std::string ZmqSocket::endpoint() const {
  char text[1024] = {};
  std::size_t size = sizeof text;
  if (zmq_getsockopt(handle_, ZMQ_LAST_ENDPOINT, text, &size) != 0) return {};
  return text;
}

void ZmqSocket::start(std::function<void()> readable) {
  BETATUNE_ASSERT(!messages_);
  messages_ = std::make_shared<Watch>(loop_, handle_, std::move(readable));
  messages_->begin();
}

Status ZmqSocket::watch_connection(Watcher watcher) {
  BETATUNE_ASSERT(!connection_);
  char name[64];
  std::snprintf(name, sizeof name, "inproc://monitor-%p", handle_);
  // The monitored socket waits for this reader for ever if it comes after bind() or connect().
  void* pair = zmq_socket(context_, ZMQ_PAIR);
  if (pair == nullptr || zmq_socket_monitor(handle_, name, kLost | kRefused) != 0 ||
      zmq_connect(pair, name) != 0) {
    if (pair != nullptr) zmq_close(pair);
    return last_error("watch the connection", name);
  }
  connection_ = std::make_shared<Watch>(loop_, pair, [pair, watcher = std::move(watcher)] {
    int events = 0;
    for (;;) {
      Part event, address;
      if (!event.receive(pair)) break;
      events |= event_of(event.text());
      if (event.more() && !address.receive(pair)) break;
    }
    // Either may close this socket, and this call with it.
    const Watcher call = watcher;
    if ((events & kRefused) != 0) {
      call.refused();
    } else if ((events & kLost) != 0) {
      call.lost();
    }
  });
  connection_->begin();
  return Ok{};
}

bool ZmqSocket::receive(Delivery& into) {
  into.from.clear();
  into.key.clear();
  into.frames.clear();
  into.connection = -1;
  bool first = role_ == Role::router;
  for (;;) {
    Part part;
    if (!part.receive(handle_)) return false;
    if (asks_for_keys_ && !first) into.key = part.property("User-Id");
    if (first) {
      into.from = part.text();
    } else if (role_ == Role::router && into.frames.empty()) {
      into.connection = part.connection();
      into.frames.push_back(part.text());
    } else if (into.frames.size() <= limits::kFrames) {
      into.frames.push_back(part.text());
    }
    first = false;
    if (!part.more()) return true;
  }
}

void ZmqSocket::end_connection(const Delivery& last) {
  if (last.connection >= 0) ::shutdown(last.connection, SHUT_RDWR);
}

SendResult ZmqSocket::send(const PeerId& to, const Frames& frames) {
  BETATUNE_ASSERT(!frames.empty());
  bool sent = role_ == Role::dealer || send_part(handle_, to, true);
  for (std::size_t i = 0; sent && i < frames.size(); ++i) {
    // Only the first frame of a message can be refused; ZeroMQ takes or drops the rest with it.
    sent = send_part(handle_, frames[i], i + 1 < frames.size());
  }
  const int code = sent ? 0 : zmq_errno();
  if (messages_) messages_->look();
  if (sent) return SendResult::sent;
  return code == EAGAIN ? SendResult::full : SendResult::unreachable;
}

}  // namespace betatune
