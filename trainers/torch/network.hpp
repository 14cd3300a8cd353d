#pragma once
/// The models. This header needs libtorch: include it from learner.cpp and network.cpp only.

#include <memory>

#include "trainers/torch/dataset.hpp"
#include "trainers/torch/engine/classification.hpp"
#include "trainers/torch/settings.hpp"

namespace betatune::classifier {

/// Takes pixels as bytes, so that a saved model needs nothing else: the normalisation is part of it
/// (buffers `mean` and `stddev`).
class Network : public engine::Model {
 public:
  /// pixels n x height x width, bytes
  /// returns n x classes logits
  at::Tensor forward(const at::Tensor& pixels) override = 0;

 protected:
  explicit Network(const Dataset& data);
  /// (pixels - mean) / stddev as floats
  at::Tensor normalised(const at::Tensor& pixels) const;

 private:
  double mean_, stddev_;
};

/// errors plugin::Failure if the images are too small for the number of blocks
std::shared_ptr<Network> make_network(const ModelSettings& settings, const Dataset& data);

}  // namespace betatune::classifier
