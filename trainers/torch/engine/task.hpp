#pragma once
/// What is learnt: a model, the data, and how a sample's error is measured. All that a trainer adds
/// to the Engine, which has the rest: order, batches, optimizer, resuming, ranks, GPUs. Most
/// trainers classify: ClassificationTask (classification.hpp) then needs a model alone.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <memory>
#include <torch/nn/module.h>

#include "trainers/torch/engine/part.hpp"

namespace betatune::engine {

/// What the model makes of some samples, without learning from them.
struct Judgement {
  at::Tensor loss_sum;      ///< scalar: the sum, not the mean, of the samples' losses
  at::Tensor correct;       ///< scalar, integral: how many are right; undefined: no such thing
  at::Tensor discriminant;  ///< one number per sample, for rankings (AUC); undefined: none
};

/// The Engine calls it from one thread: make_model once, move_to once, then the rest.
class Task {
 public:
  virtual ~Task() = default;

  /// A model with fresh weights, on the CPU. libtorch's generator was seeded just before, so equal
  /// seeds give equal models. The Engine moves, switches (train, eval), saves and loads it.
  virtual std::shared_ptr<torch::nn::Module> make_model() = 0;
  /// Moves the data to where the model is.
  virtual void move_to(const at::Device& device) = 0;

  /// Whether judge() counts what is right.
  virtual bool classifies() const { return true; }
  /// How many samples a part of the data has; only the test part may have none.
  virtual std::int64_t count(Part part) const = 0;
  /// samples  b indices of training samples, int64, on the device
  /// returns  their mean loss, a scalar to run backward() on
  virtual at::Tensor loss(const at::Tensor& samples) = 0;
  /// Of the samples begin .. end-1 of a part; the model is in eval mode, gradients are off.
  virtual Judgement judge(Part part, std::int64_t begin, std::int64_t end) = 0;
};

}  // namespace betatune::engine
