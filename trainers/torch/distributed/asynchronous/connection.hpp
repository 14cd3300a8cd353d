#pragma once
/// One connection of a SocketServer: the frame that is coming in and the answer that is going out,
/// both in pieces as the socket has them. It may have one request and one answer in the server.

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/sockets.hpp"
#include "trainers/torch/distributed/asynchronous/wire.hpp"

namespace betatune::distributed::asynchronous {

class Connection {
 public:
  explicit Connection(Socket socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.fd(); }
  /// Takes what has arrived, up to a few MiB, so that a large push does not keep the others waiting
  /// for all of it. Returns whether a frame is complete: see kind(), meta(), values().
  /// errors Garbled
  bool read(const FrameLimits& limits);
  FrameKind kind() const { return head_->kind; }
  const Bytes& meta() const { return meta_; }
  std::span<const float> values() const {
    return std::span<const float>(values_).first(static_cast<std::size_t>(head_->values));
  }

  bool has_answer() const { return sent_ < to_send_; }
  /// Begins to send a frame. `values` are used until has_answer() is false, or keep() is called.
  void answer(FrameKind kind, const Bytes& meta, std::span<const std::span<const float>> values);
  /// Copies what is not sent yet of the values: they are about to change.
  void keep();
  /// Sends why the connection ends, and ends it.
  void refuse(const std::string& problem);
  /// Goes on sending.
  void send();

  /// After a refusal: what still comes in is thrown away until then, because closing a socket with
  /// unread bytes in it may take the refusal from the other side.
  const std::optional<Deadline>& drains_until() const { return drains_until_; }
  void drain();

  bool greeted = false;
  int worker = kObserver;
  bool lost = false;  ///< to be dropped

 private:
  bool receive(std::byte* to, std::size_t offset, std::size_t size, std::size_t& budget);

  Socket socket_;
  std::array<std::byte, kHeadBytes> head_bytes_{};
  std::optional<FrameHead> head_;
  Bytes meta_;
  Layer values_;
  std::size_t received_ = 0;  ///< of head, meta and values
  bool complete_ = false;     ///< the frame has been handed out
  template <class Visit>
  void visit_rest(Visit visit) const;

  Bytes front_;                               ///< of the frame: all of it but lent values
  std::vector<std::span<const float>> lent_;  ///< its values, another's memory
  std::size_t to_send_ = 0, sent_ = 0;
  bool closing_ = false;  ///< once all is sent
  std::optional<Deadline> drains_until_;
};

}  // namespace betatune::distributed::asynchronous
