#pragma once
/// The task of most trainers: say which class a sample is of. Needs a model and tensors alone.

#include <ATen/core/Tensor.h>
#include <array>
#include <functional>
#include <memory>
#include <torch/nn/module.h>

#include "trainers/torch/engine/task.hpp"

namespace betatune::engine {

class Model : public torch::nn::Module {
 public:
  /// inputs   n x ..., as they are in Samples
  /// returns  logits: n x classes, or n x 1 for signal (class 1) against background (class 0)
  virtual at::Tensor forward(const at::Tensor& inputs) = 0;
};

struct Samples {
  at::Tensor inputs;  ///< n x ..., of any type that the model takes
  at::Tensor labels;  ///< n, int64: 0 .. classes-1
};

/// Cross-entropy in nats; with one logit the binary one, whose logits are the discriminants.
class ClassificationTask final : public Task {
 public:
  using MakeModel = std::function<std::shared_ptr<Model>()>;

  /// parts            training, validation, test
  /// label_smoothing  of the training loss alone
  ClassificationTask(MakeModel make_model, std::array<Samples, 3> parts, double label_smoothing = 0)
      : make_model_(std::move(make_model)),
        parts_(std::move(parts)),
        label_smoothing_(label_smoothing) {}

  std::shared_ptr<torch::nn::Module> make_model() override;
  void move_to(const at::Device& device) override;
  std::int64_t count(Part part) const override;
  at::Tensor loss(const at::Tensor& samples) override;
  Judgement judge(Part part, std::int64_t begin, std::int64_t end) override;

 private:
  at::Tensor logits_of(const at::Tensor& inputs);
  const Samples& of(Part part) const { return parts_[static_cast<std::size_t>(part)]; }

  MakeModel make_model_;
  std::array<Samples, 3> parts_;
  double label_smoothing_;
  std::shared_ptr<Model> model_;
};

/// Tensors on memory of the caller's, which must live longer and is only read.
///
/// values  n x `shape`, row by row
/// labels  n
Samples samples_on(const float* values, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& labels);

}  // namespace betatune::engine
