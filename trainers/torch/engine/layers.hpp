#pragma once
/// Pieces of models.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <vector>

#include "trainers/torch/engine/activation.hpp"

namespace betatune::engine {

/// May write into x, which must be the result of a layer and used nowhere else.
at::Tensor activate(Activation activation, const at::Tensor& x);

struct HiddenSettings {
  int layers = 2;
  std::int64_t units = 256;  ///< of each layer
  Activation activation = Activation::relu;
  double dropout = 0;  ///< after each layer
};

/// Fully connected layers one after another, in `owner` by the names hidden1, hidden2, ...
class HiddenLayers {
 public:
  HiddenLayers(torch::nn::Module& owner, std::int64_t inputs, const HiddenSettings& settings);
  /// n x inputs -> n x outputs(); drops out while the owner trains.
  at::Tensor forward(at::Tensor x, bool training);
  std::int64_t outputs() const { return outputs_; }

 private:
  HiddenSettings settings_;
  std::vector<torch::nn::Linear> layers_;
  std::int64_t outputs_;
};

}  // namespace betatune::engine
