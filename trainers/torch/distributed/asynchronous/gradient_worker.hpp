#pragma once
/// The worker of the rules whose servers take gradients: it sends the sum of the gradients of
/// `sync_every` batches and goes on from the centre that comes back. Between two exchanges it takes
/// plain steps of its own, x <- x - local_lr g (Downpour: Dean et al. 2012, NIPS 25).

#include "trainers/torch/distributed/asynchronous/rule.hpp"

namespace betatune::distributed::asynchronous {

struct GradientWorkerSettings {
  std::int64_t sync_every = 1;
  double local_lr = 0.01;  ///< without effect for sync_every = 1
};

/// Reads `sync_every` (1 to 1,000,000; default 1) and, where it is above 1, `local_lr`.
GradientWorkerSettings read_gradient_worker(engine::Fields& fields, double lr);

class GradientWorker : public WorkerRule {
 public:
  explicit GradientWorker(const GradientWorkerSettings& settings) : settings_(settings) {}
  void begin(const Layers& centre) override;
  bool passes_on() const override { return settings_.sync_every == 1; }
  bool accumulate(Layers& parameters, const Layers& gradient) override;
  void contribution(std::size_t layer, std::span<const float> parameters,
                    std::span<const float> centre, std::span<float> push) override;
  void receive(std::size_t layer, std::span<float> parameters,
               std::span<const float> centre) override;

 private:
  GradientWorkerSettings settings_;
  Layers sum_;
  std::int64_t batches_ = 0;  ///< in sum_
};

}  // namespace betatune::distributed::asynchronous
