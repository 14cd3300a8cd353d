#pragma once
/// A scripted optimizer for tests of the trainer: welcomes it, hands out what a test asks for,
/// acknowledges, and remembers everything that it was told.

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "trainers/agent_core.hpp"
#include "transport/codec.hpp"
#include "transport/zmq_socket.hpp"

namespace betatune::test {

struct Told {
  std::vector<Report> reports;  ///< ascending seq, each once
  std::optional<Done> done;
  int assigned = 0;

  std::vector<Step> steps() const;
  double last(const std::string& metric) const;
  std::optional<ArtifactRef> checkpoint() const;
};

class FakeOptimizer {
 public:
  explicit FakeOptimizer(std::string endpoint);

  /// Serves until `condition` holds; false after the time limit (generous: only a hang reaches it).
  bool serve_until(const std::function<bool()>& condition,
                   std::chrono::seconds limit = std::chrono::seconds(60));
  /// Queues an assignment; it is sent as the trainers' credit allows.
  void assign(Assign assign);
  /// Serves until every assignment has its DONE.
  bool serve_all();
  void decide(TrialId trial, AttemptId attempt, Action action);
  void send(Message message);  ///< to the trainer that spoke last

  const Told& told(std::uint64_t trial, std::uint64_t attempt = 1);

  // What a test may set and look at.
  Welcome terms;
  bool acknowledges = true;
  bool answers = true;  ///< false: as if it hung
  std::function<void(const Report&)> on_report;
  std::function<void()> on_beat;
  std::function<void(const Message&)> on_file;  ///< PUT and GET
  std::vector<Hello> hellos;
  std::vector<Bye> byes;
  int credit = 0;
  std::map<WorkKey, Told> all;

 private:
  void take(const PeerId& peer, const Message& message);
  void take_report(const PeerId& peer, const Report& report);
  void take_done(const PeerId& peer, const Done& done);
  void hand_out();
  void send_to(const PeerId& peer, Message message);

  asio::io_context loop_;
  ZmqContext context_;
  std::unique_ptr<ZmqSocket> socket_;
  PeerId peer_;
  std::deque<Assign> queue_;
};

}  // namespace betatune::test
