#include "trainers/torch/engine/classification.hpp"

#include <torch/nn/functional/loss.h>
#include <torch/types.h>

namespace betatune::engine {
namespace {

namespace F = torch::nn::functional;

bool binary(const at::Tensor& logits) {
  return logits.size(1) == 1;
}

at::Tensor smoothed(const at::Tensor& labels, double smoothing) {
  const auto targets = labels.to(torch::kFloat).unsqueeze(1);
  return smoothing > 0 ? targets.mul(1 - smoothing).add(0.5 * smoothing) : targets;
}

}  // namespace

std::shared_ptr<torch::nn::Module> ClassificationTask::make_model() {
  return model_ = make_model_();
}

void ClassificationTask::move_to(const at::Device& device) {
  for (auto& part : parts_) {
    part.inputs = part.inputs.to(device);
    part.labels = part.labels.to(device);
  }
}

std::int64_t ClassificationTask::count(Part part) const {
  return of(part).labels.size(0);
}

/// In 32 bits whatever the model was evaluated in: logarithms of sums need the digits.
at::Tensor ClassificationTask::logits_of(const at::Tensor& inputs) {
  return model_->forward(inputs).to(torch::kFloat);
}

at::Tensor ClassificationTask::loss(const at::Tensor& samples) {
  const Samples& train = of(Part::train);
  const auto logits = logits_of(train.inputs.index_select(0, samples));
  const auto labels = train.labels.index_select(0, samples);
  if (binary(logits)) {
    return F::binary_cross_entropy_with_logits(logits, smoothed(labels, label_smoothing_));
  }
  return F::cross_entropy(logits, labels,
                          F::CrossEntropyFuncOptions().label_smoothing(label_smoothing_));
}

Judgement ClassificationTask::judge(Part part, std::int64_t begin, std::int64_t end) {
  const auto labels = of(part).labels.slice(0, begin, end);
  const auto logits = logits_of(of(part).inputs.slice(0, begin, end));
  if (binary(logits)) {
    const auto sum = F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(torch::kSum);
    const auto discriminant = logits.squeeze(1);
    return {F::binary_cross_entropy_with_logits(logits, smoothed(labels, 0), sum),
            discriminant.gt(0).eq(labels.gt(0)).sum(), discriminant};
  }
  return {F::cross_entropy(logits, labels, F::CrossEntropyFuncOptions().reduction(torch::kSum)),
          logits.argmax(1).eq(labels).sum(),
          {}};
}

Samples samples_on(const float* values, const std::vector<std::int64_t>& shape,
                   const std::vector<std::int64_t>& labels) {
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(labels.size())};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  // from_blob has no const.
  return {
      torch::from_blob(const_cast<float*>(values), sizes, torch::kFloat),
      torch::from_blob(const_cast<std::int64_t*>(labels.data()), {sizes.front()}, torch::kLong)};
}

}  // namespace betatune::engine
