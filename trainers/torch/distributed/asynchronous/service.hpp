#pragma once
/// What stands behind a socket that workers push to: a parameter server (ServerCore), or a
/// sub-master that stands between workers and a parameter server (SubMaster). One thread at a time.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::distributed::asynchronous {

/// What a worker sends: one contribution per layer of the server, in its order.
struct Push {
  int worker = 0;
  std::uint64_t sequence = 0;  ///< 1 for the worker's first push to this server, then 2, 3 ...
  std::vector<std::uint64_t> bases;  ///< versions of the weights that it computed from
  std::vector<std::span<const float>> values;
};

struct Answer {
  std::uint64_t sequence = 0;
  bool accepted = true;  ///< false: the rule had no use for the push
  std::span<const std::uint64_t> versions;
  std::vector<std::span<const float>> centre;
  /// Whether `centre` stays as it is until the next push or leave; else it is valid during the call
  /// alone, as the rest is.
  bool lasts = false;
};
using AnswerTo = std::function<void(const Answer&)>;

/// What a service has done, for logs and tests.
struct ServiceReport {
  std::vector<std::uint64_t> versions;
  double staleness_mean = 0;
  std::uint64_t staleness_max = 0;
  std::uint64_t rejected = 0;
  Layers centre;
};

class Service {
 public:
  virtual ~Service() = default;

  virtual Sizes sizes() const = 0;
  virtual int workers() const = 0;
  /// errors plugin::Failure that names the worker if the push does not fit; then nothing has
  /// changed
  virtual void check(const Push& push) const = 0;
  /// Takes a push that check() admits. `answer` is called once: now, or during a later call.
  virtual void push(const Push& push, AnswerTo answer) = 0;
  virtual void pull(const AnswerTo& answer) = 0;
  /// The worker is not waited for any more, until it joins again; an answer it waits for is
  /// dropped.
  virtual void leave(int worker) = 0;
  /// The worker's connection is gone, but not yet the worker.
  virtual void forget_answer(int worker) = 0;
  virtual std::uint64_t last_sequence(int worker) const = 0;
  virtual bool active(int worker) const = 0;
  virtual ServiceReport report() const = 0;

  bool is_repeated(const Push& push) const { return push.sequence <= last_sequence(push.worker); }
};

/// What every service asks of a push: a known worker, the right layers, and the number that is
/// next. errors plugin::Failure that names the worker
void check_shape(const Push& push, const Sizes& sizes, int workers, std::uint64_t last_sequence);

}  // namespace betatune::distributed::asynchronous
