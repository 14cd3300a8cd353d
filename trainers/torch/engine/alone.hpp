#pragma once
/// The strategy of a process of its own: nothing to exchange.

#include <ATen/core/Tensor.h>
#include <vector>

#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::engine {

class Alone final : public distributed::Strategy {
 public:
  /// clip_norm  gradients whose 2-norm is larger are scaled down to it; 0: never
  explicit Alone(double clip_norm) : clip_norm_(clip_norm) {}

  void attach(const distributed::Replica& replica) override;
  void backward(const at::Tensor& mean_loss, double share, bool last) override;
  distributed::StepResult step(torch::optim::Optimizer& optimizer) override;
  void sum(std::vector<double>&) override {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  std::string description() const override { return "one process"; }

 private:
  double clip_norm_;
  std::vector<at::Tensor> parameters_;
};

}  // namespace betatune::engine
