#pragma once
/// The models. This header needs libtorch: include it from learner.cpp and network.cpp only.

#include <memory>
#include <torch/nn/module.h>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

/// Takes pixels as bytes, so that a saved model needs nothing else: the normalisation is part of it
/// (buffers `mean` and `stddev`).
class Network : public torch::nn::Module {
 public:
  /// pixels n x height x width, bytes
  /// returns n x classes logits
  virtual torch::Tensor forward(const torch::Tensor& pixels) = 0;

 protected:
  explicit Network(const Dataset& data);
  /// (pixels - mean) / stddev as floats
  torch::Tensor normalised(const torch::Tensor& pixels) const;

 private:
  double mean_, stddev_;
};

/// errors plugin::Failure if the images are too small for the number of blocks
std::shared_ptr<Network> make_network(const ModelSettings& settings, const Dataset& data);

}  // namespace betatune::classifier
