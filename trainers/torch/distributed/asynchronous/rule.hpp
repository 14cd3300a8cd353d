#pragma once
/// An update rule says how workers that do not wait for each other train one model: what a worker
/// does with a gradient and what it sends (WorkerRule), and what a server does with what arrives
/// (ServerRule). Rules know nothing of sockets, threads or time: the same ones run in the
/// simulator, in tests and over the wire.
///
/// Letters: theta the centre (the servers' weights), x a worker's weights, g the gradient of a
/// batch's mean loss at x, eta a learning rate, n the number of workers, tau the staleness of a
/// push: how many updates its layer has had since the worker got the weights it computed from.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "trainers/torch/distributed/asynchronous/bytes.hpp"
#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::engine {
class Fields;
}

namespace betatune::distributed::asynchronous {

/// One worker's half. All calls of one worker come from one thread, in this order: begin, then
/// (accumulate, and where it says so: contribution and receive of every layer) again and again.
class WorkerRule {
 public:
  virtual ~WorkerRule() = default;

  /// The worker starts with `centre`, all layers of it.
  virtual void begin(const Layers& centre) = 0;
  /// Takes the gradient g at `parameters` (and moves them where the rule trains locally).
  /// returns whether the worker must exchange with the servers now
  virtual bool accumulate(Layers& parameters, const Layers& gradient) = 0;
  /// True: each gradient is pushed as it is, and the centre that comes back replaces the
  /// parameters. Then nothing else needs to be called, and nothing to be copied.
  virtual bool passes_on() const { return false; }
  /// True: `contribution` needs the centre as it is now, so the worker pulls before it pushes.
  virtual bool pulls_first() const { return false; }
  /// What is pushed of a layer; `push` is overwritten. `centre` is what was just pulled, or empty.
  virtual void contribution(std::size_t layer, std::span<const float> parameters,
                            std::span<const float> centre, std::span<float> push) = 0;
  /// The answer to the push: `centre` as ServerRule left it (or as it was before, see there).
  virtual void receive(std::size_t layer, std::span<float> parameters,
                       std::span<const float> centre) = 0;
};

struct Arrival {
  int worker = 0;
  std::uint64_t staleness = 0;
};

enum class Outcome {
  applied,   ///< the centre has moved: its version grows by one
  gathered,  ///< kept for later; the worker goes on
  waits,     ///< kept until the round is complete; the worker gets its answer then
  rejected,  ///< of no use (too old); the worker gets the centre and goes on
};

/// One layer's half, on the server that has the layer. It must be a function of the pushes in the
/// order in which they came, alone: a journal of them restores it bit for bit.
class ServerRule {
 public:
  virtual ~ServerRule() = default;

  virtual Outcome apply(std::span<float> centre, std::span<const float> push,
                        const Arrival& arrival) = 0;
  /// A worker has left for good. Returns true if the centre moved (a round is complete without it).
  virtual bool leave(std::span<float> /*centre*/, int /*worker*/) { return false; }
  /// A worker is here (again).
  virtual void join(int /*worker*/) {}
  /// True: the answer is the centre as it was before the push (elastic averaging).
  virtual bool answers_before() const { return false; }
  /// The state beside the centre.
  virtual void save(Writer& out) const = 0;
  virtual void load(Reader& in) = 0;
};

/// A configured rule: makes the halves.
class Strategy {
 public:
  virtual ~Strategy() = default;
  virtual std::unique_ptr<WorkerRule> worker() const = 0;
  virtual std::unique_ptr<ServerRule> server(std::size_t layer_size) const = 0;
  /// True if pushes may be summed on their way (by sub-masters): the rule is linear in them.
  virtual bool additive() const { return true; }
  /// True if all workers go in step: nobody is ahead, and nothing may arrive stale.
  virtual bool synchronous() const { return false; }
  /// Groups that the ranks form, each of which is one worker; 0: every rank is one.
  virtual int groups() const { return 0; }
};

/// Reads the rule's own fields; `workers` is n, at least 1.
using StrategyFactory = std::unique_ptr<Strategy> (*)(engine::Fields& fields, int workers);

/// A file in rules/ registers its rules by static objects of this type.
struct Registration {
  Registration(const char* name, const char* summary, StrategyFactory factory);
};

}  // namespace betatune::distributed::asynchronous
