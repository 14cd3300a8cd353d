#pragma once
/// One parameter server on a socket: one thread, a poll loop, a ServerCore. Requests are taken in
/// the order in which they are complete, at most one per connection and turn, and the turn starts
/// at another connection each time, so that no worker starves. A connection that does not read its
/// answer holds up nobody but itself: it may have one request and one answer in the server.
///
/// Reads never wait: a validation is a client of its own that pulls the centre (see SocketLink with
/// kObserver) and evaluates it elsewhere, while pushes go on.
///
/// What is not the protocol, or above the sizes that this server's layers can need, is refused with
/// a text and the connection is closed; the server goes on.

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "trainers/torch/distributed/asynchronous/journal.hpp"
#include "trainers/torch/distributed/asynchronous/registry.hpp"
#include "trainers/torch/distributed/asynchronous/sockets.hpp"

namespace betatune::distributed::asynchronous {

struct SocketServerSettings {
  std::string address = "tcp://127.0.0.1:0";
  std::string strategy;  ///< JSON, see read_strategy
  int workers = 1;
  /// A worker whose connection is lost is taken for gone after this long without a new one, and
  /// then neither rounds nor the staleness bound wait for it.
  std::chrono::milliseconds gone_after{30'000};
  std::optional<JournalSettings> journal;
};

class SocketServer {
 public:
  /// Restores from the journal if there is one; listens when it returns.
  /// errors plugin::Failure: settings, address, journal
  SocketServer(SocketServerSettings settings, Layers centre);
  /// Serves something else, for instance a SubMaster; there is no journal for it.
  SocketServer(SocketServerSettings settings, std::unique_ptr<Service> service);
  ~SocketServer();

  const std::string& address() const;
  /// Serves until stop(), in the calling thread.
  /// errors plugin::Failure if the journal cannot be written
  void run();
  /// From any thread, and from signal handlers.
  void stop();
  /// After run() has returned, or before it.
  ServiceReport report() const;
  /// How much a worker has asked for so far; from any thread.
  std::uint64_t requests_of(int worker) const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

/// A SocketServer in a thread of its own; stops with it.
class ServerThread {
 public:
  ServerThread(SocketServerSettings settings, Layers centre);
  ServerThread(SocketServerSettings settings, std::unique_ptr<Service> service);
  ~ServerThread();
  const std::string& address() const { return server_.address(); }
  std::uint64_t requests_of(int worker) const { return server_.requests_of(worker); }
  /// Ends the thread. errors what ended run()
  ServiceReport stop();

 private:
  void run();

  SocketServer server_;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace betatune::distributed::asynchronous
