#pragma once
/// Who is let in where trainers must show keys, and for whom they may speak.
///
/// CURVE proves who holds a key before a message is read; ZeroMQ then asks this gate (RFC 27, ZAP)
/// whether that key is allowed. Every message carries the key it came with, so that a session is
/// its key's alone, and a key that was revoked says nothing more on a connection that still stands.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/roster.hpp"
#include "transport/key_ring.hpp"
#include "transport/message.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune {

class Gate {
 public:
  /// The pair of the trainers that this optimizer starts itself: let in under the name `local`.
  Gate(ZmqContext& context, asio::io_context& loop, KeyRing keys, std::string local_key);

  /// Before the guarded socket is bound. Errors: unavailable; those of KeyRing::grants().
  Status open();
  /// Looks at who is allowed now, and forgets sessions that are gone. What cannot be read leaves
  /// things as they are, and is logged once. Returns the peers of the roster whose key is allowed
  /// no more.
  std::vector<PeerId> refresh(const Roster& roster);
  /// Why the message is not to be heard, if so.
  std::optional<Refusal> objection(const Delivery& delivery, const Message& message,
                                   const Roster& roster);
  /// Connections that ended in the handshake, because their key is not allowed.
  std::uint64_t turned_away() const { return turned_away_; }

 private:
  Status read_grants();
  void answer_requests();
  void turn_away();
  std::optional<Refusal> objection_to_hello(const KeyGrant& grant, const Hello& hello,
                                            const Roster& roster) const;

  ZmqContext& context_;
  asio::io_context& loop_;
  KeyRing keys_;
  std::string local_key_;
  std::unique_ptr<ZmqSocket> requests_;
  std::map<std::string, KeyGrant> allowed_;  ///< by public key
  std::map<PeerId, std::string> sessions_;   ///< with which key each began
  std::uint64_t turned_away_ = 0;
  bool complained_ = false;
};

/// Whether a trainer of this name may come with this key: KEY, or KEY/anything.
bool speaks_for(const std::string& key, const TrainerId& trainer);

}  // namespace betatune
