#pragma once
/// One worker's side of a training: between the gradient of a batch and the next forward pass.

#include <memory>

#include "trainers/torch/distributed/asynchronous/channel.hpp"

namespace betatune::distributed::asynchronous {

class Worker {
 public:
  Worker(const Strategy& strategy, std::unique_ptr<Channel> channel);
  /// Overwrites the parameters with the servers' weights: all workers start equal.
  void start(Layers& parameters);
  /// Takes the gradient of a batch at `parameters` and moves them; exchanges when the rule says so.
  /// returns false if the servers had no use for the push (synchronous rules, after an absence)
  bool step(Layers& parameters, const Layers& gradient);
  /// Nobody waits for this worker any more.
  void leave() { channel_->leave(); }
  /// The servers' weights now, for validation and checkpoints.
  void read(Layers& centre);

 private:
  std::unique_ptr<WorkerRule> rule_;
  std::unique_ptr<Channel> channel_;
  Layers centre_, push_;
  std::vector<std::uint64_t> bases_, versions_;
};

}  // namespace betatune::distributed::asynchronous
