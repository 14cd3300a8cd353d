#include "trainers/torch/higgs/network.hpp"

#include <torch/types.h>

#include "trainers/torch/engine/classification.hpp"
#include "trainers/torch/engine/layers.hpp"
#include "trainers/torch/higgs/features.hpp"

namespace betatune::higgs {
namespace {

struct Columns {
  std::int64_t begin, end;
};

Columns columns_of(FeatureSet features) {
  constexpr std::int64_t kLow = kLowLevel, kAll = kFeatures;
  if (features == FeatureSet::low) return {0, kLow};
  return {features == FeatureSet::high ? kLow : 0, kAll};
}

class Network final : public engine::Model {
 public:
  Network(const Settings& s, const at::Tensor& training)
      : columns_(columns_of(s.features)),
        hidden_(*this, columns_.end - columns_.begin,
                {s.layers, s.hidden, s.activation, s.dropout}) {
    const auto seen = training.slice(1, columns_.begin, columns_.end);
    mean_ = register_buffer("mean", seen.mean(0));
    stddev_ = register_buffer("stddev", seen.std(0).clamp_min(1e-6));
    signal_ = register_module("signal", torch::nn::Linear(hidden_.outputs(), 1));
  }

  at::Tensor forward(const at::Tensor& features) override {
    const auto x = features.slice(1, columns_.begin, columns_.end).sub(mean_).div(stddev_);
    return signal_(hidden_.forward(x, is_training()));
  }

 private:
  Columns columns_;
  engine::HiddenLayers hidden_;
  at::Tensor mean_, stddev_;
  torch::nn::Linear signal_{nullptr};
};

engine::Samples samples_of(const collisions::Table& table) {
  return engine::samples_on(table.values.data(), {static_cast<std::int64_t>(kFeatures)},
                            table.labels);
}

}  // namespace

std::shared_ptr<engine::Task> event_task(const Settings& settings,
                                         const collisions::Generated& data) {
  const auto training = samples_of(data.of(engine::Part::train));
  return std::make_shared<engine::ClassificationTask>(
      [settings, inputs = training.inputs] { return std::make_shared<Network>(settings, inputs); },
      std::array{training, samples_of(data.of(engine::Part::validation)),
                 samples_of(data.of(engine::Part::test))},
      settings.label_smoothing);
}

}  // namespace betatune::higgs
