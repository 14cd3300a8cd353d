#include "trainers/torch/engine/alone.hpp"

#include <torch/optim/optimizer.h>
#include <torch/types.h>

namespace betatune::engine {
namespace {

/// Scales the gradients down where their 2-norm is above `limit`. Returns that norm.
double clip(const std::vector<at::Tensor>& parameters, double limit) {
  std::vector<at::Tensor> norms;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) norms.push_back(parameter.grad().norm());
  }
  if (norms.empty()) return 0;
  const double norm = torch::stack(norms).norm().item<double>();
  if (norm <= limit) return norm;
  for (const auto& parameter : parameters) {
    if (parameter.grad().defined()) parameter.grad().mul_(limit / norm);
  }
  return norm;
}

}  // namespace

void Alone::attach(const distributed::Replica& replica) {
  for (const auto& [name, parameter] : replica.parameters) parameters_.push_back(parameter);
}

void Alone::backward(const at::Tensor& mean_loss, double share, bool /*last*/) {
  // Not multiplied by 1: that would be another kernel, for nothing.
  (share == 1 ? mean_loss : mean_loss * share).backward();
}

distributed::StepResult Alone::step(torch::optim::Optimizer& optimizer) {
  distributed::StepResult result;
  if (clip_norm_ > 0) result.gradient_norm = clip(parameters_, clip_norm_);
  optimizer.step();
  // Dropped rather than zeroed: the next backward() then moves its result instead of adding it.
  for (auto& parameter : parameters_) parameter.mutable_grad().reset();
  return result;
}

}  // namespace betatune::engine
