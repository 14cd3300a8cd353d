#include "trainers/torch/engine/layers.hpp"

#include <string>
#include <torch/types.h>

namespace betatune::engine {

at::Tensor activate(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::relu:
      return x.relu_();
    case Activation::gelu:
      return torch::gelu(x);
    case Activation::tanh:
      return x.tanh_();
    case Activation::silu:
      return torch::silu(x);
    case Activation::elu:
      return torch::elu(x);
  }
  return x;
}

HiddenLayers::HiddenLayers(torch::nn::Module& owner, std::int64_t inputs,
                           const HiddenSettings& settings)
    : settings_(settings), outputs_(settings.layers > 0 ? settings.units : inputs) {
  for (int i = 0; i < settings.layers; ++i) {
    layers_.push_back(owner.register_module("hidden" + std::to_string(i + 1),
                                            torch::nn::Linear(inputs, settings.units)));
    inputs = settings.units;
  }
}

at::Tensor HiddenLayers::forward(at::Tensor x, bool training) {
  for (auto& layer : layers_) {
    x = activate(settings_.activation, layer(x));
    if (settings_.dropout > 0) x = torch::dropout(x, settings_.dropout, training);
  }
  return x;
}

}  // namespace betatune::engine
