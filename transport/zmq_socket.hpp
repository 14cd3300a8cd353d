#pragma once
/// ZeroMQ sockets on an Asio loop. Nothing here blocks and nothing throws.
///
/// ZMQ_FD is edge-triggered: it becomes readable when *something* has changed, once. Reading one
/// message per wake-up stalls, and so does not looking again after a send, which may have taken the
/// edge away. So: after each wake-up and each send, look at ZMQ_EVENTS, and while messages wait
/// keep a call of `readable` in the loop's queue.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "searchspaces/ids.hpp"
#include "searchspaces/result.hpp"
#include "transport/asio.hpp"
#include "transport/codec.hpp"
#include "transport/key_file.hpp"

namespace betatune {

/// ZeroMQ's I/O thread. Outlives its sockets; its destructor waits until they have sent what their
/// linger time allows.
class ZmqContext {
 public:
  ZmqContext();
  ~ZmqContext();
  ZmqContext(const ZmqContext&) = delete;
  ZmqContext& operator=(const ZmqContext&) = delete;

 private:
  friend class ZmqSocket;
  void* handle_;
};

enum class SendResult {
  sent,         ///< handed to the I/O thread
  unreachable,  ///< no such peer any more (ROUTER), or the socket is closed
  full,         ///< the peer does not read: the message is dropped, and its repetition will do
};

struct Delivery {
  PeerId from;  ///< empty for a DEALER
  /// At most limits::kFrames + 1 are kept of a longer message, so that decoding refuses it.
  Frames frames;
  /// Of a ROUTER that asks for keys: the public key it came with, as the gate let it in.
  std::string key;
  /// Of a ROUTER: the descriptor of the connection it came by.
  int connection = -1;
};

class ZmqSocket {
 public:
  enum class Role { router, dealer };
  /// Messages that wait in a queue, one to each peer and one from each.
  static constexpr int kHighWaterMessages = 16'384;

  /// Errors: unavailable (no descriptor left).
  static Result<std::unique_ptr<ZmqSocket>> open(ZmqContext& context, asio::io_context& loop,
                                                 Role role);
  /// Closes at once; `linger` below says what happens to unsent messages.
  ~ZmqSocket();
  ZmqSocket(const ZmqSocket&) = delete;
  ZmqSocket& operator=(const ZmqSocket&) = delete;

  /// How long unsent messages are tried after the socket is closed. Default 0.
  void set_linger(std::chrono::milliseconds linger);

  /// Lets in who proves to hold a key that the ZAP handler of this context allows: there must be
  /// one before bind(), or any key will do. Errors: unsupported (a libzmq without CURVE).
  Status ask_for_keys(const KeyPair& own);
  /// Before connect(). Errors: unsupported.
  Status show_key(const TrainerKey& key);
  /// Errors: invalid_argument, unavailable (address in use); each says what to do. Use
  /// resolve_bind() (endpoint.hpp) first: this checks nothing of who may connect.
  Status bind(const std::string& endpoint);
  /// Connects in the background, again and again.
  Status connect(const std::string& endpoint);
  /// As bound: the port in place of a wildcard.
  std::string endpoint() const;

  /// `readable` is called on the loop while messages wait; it receives at most
  /// limits::kMessagesPerTurn of them, and is called again if more are left.
  void start(std::function<void()> readable);
  struct Watcher {
    std::function<void()> lost;     ///< a connection broke
    std::function<void()> refused;  ///< the other side does not let this key in, or wants one
  };
  /// Called on the loop when the transport has noticed. Before connect().
  Status watch_connection(Watcher watcher);

  bool receive(Delivery& into);
  /// Ends the connection that `last` came by, for a peer that must be stopped and not only ignored:
  /// ZeroMQ has no call for it, and reads what a peer sends whether anybody wants it or not. What
  /// has been read already is still delivered. The peer may connect again. If its connection is
  /// gone and another has its descriptor by now, that one is ended in its place: its owner connects
  /// again as after any broken connection, and nothing is lost.
  static void end_connection(const Delivery& last);
  /// `to` is ignored by a DEALER.
  SendResult send(const PeerId& to, const Frames& frames);

 private:
  struct Watch;
  ZmqSocket(void* context, void* handle, asio::io_context& loop, Role role);

  void* context_;
  void* handle_;
  asio::io_context& loop_;
  Role role_;
  bool asks_for_keys_ = false;
  std::shared_ptr<Watch> messages_, connection_;
};

}  // namespace betatune
