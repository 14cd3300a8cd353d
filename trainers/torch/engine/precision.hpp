#pragma once
/// In how many bits a model is evaluated.

#include <ATen/core/Tensor.h>

#include "trainers/torch/engine/recipe.hpp"

namespace betatune::engine {

/// While it lives, this thread evaluates models in that precision. With bf16 (libtorch's autocast)
/// matrix products and convolutions take and give 16 bits with the range of 32; weights, their
/// gradients and the optimizer keep 32, so that losses need no scaling. Backward passes are
/// outside of it: they follow what the forward pass did.
class InPrecision {
 public:
  InPrecision(Precision precision, const at::Device& device);
  ~InPrecision();
  InPrecision(const InPrecision&) = delete;
  InPrecision& operator=(const InPrecision&) = delete;

 private:
  bool active_;
  bool on_gpu_;
};

}  // namespace betatune::engine
