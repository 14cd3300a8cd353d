#pragma once
/// A worker's connection to one SocketServer. A connection that breaks is made again, and the
/// request that had no answer is sent again; the server knows pushes by their numbers and takes
/// none twice.

#include <chrono>
#include <string>

#include "trainers/torch/distributed/asynchronous/channel.hpp"
#include "trainers/torch/distributed/asynchronous/sockets.hpp"
#include "trainers/torch/distributed/asynchronous/wire.hpp"

namespace betatune::distributed::asynchronous {

struct SocketLinkSettings {
  std::string address;
  int rank = kObserver;  ///< the worker's number; kObserver reads alone
  std::string identity;  ///< Configured::identity; an observer needs none
  Sizes sizes;           ///< of the server's layers
  /// How long a lost server may stay away.
  std::chrono::milliseconds connect_timeout{30'000};
  /// How long an answer may take: above the time of the slowest worker's batch in a synchronous
  /// round.
  std::chrono::milliseconds answer_timeout{600'000};
};

class SocketLink : public Link {
 public:
  /// Connects. errors plugin::Failure with the server's reason if it refuses
  explicit SocketLink(SocketLinkSettings settings);
  void send(const Request& request) override;
  void receive(Response& response) override;
  void leave() override;
  /// Cuts the connection, as a network does; for tests.
  void cut() { socket_.close(); }

 private:
  void connect(Deadline deadline);
  void send_request(Deadline deadline);
  void receive_answer(Response& response, Deadline deadline);
  [[noreturn]] void fail(const std::string& problem) const;
  [[noreturn]] void refused(const Bytes& meta) const;
  FrameHead receive_frame(Bytes& meta, Deadline deadline);

  SocketLinkSettings settings_;
  Socket socket_;
  std::uint64_t sequence_ = 0;  ///< of the last push
  std::uint64_t all_values_ = 0;
  Request request_;
  bool sent_ = false;  ///< on this connection
};

}  // namespace betatune::distributed::asynchronous
