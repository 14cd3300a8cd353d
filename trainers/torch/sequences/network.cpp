#include "trainers/torch/sequences/network.hpp"

#include <torch/nn/modules/rnn.h>
#include <torch/types.h>

#include "trainers/torch/engine/classification.hpp"
#include "trainers/torch/engine/layers.hpp"
#include "trainers/torch/sequences/particles.hpp"

namespace betatune::sequences {
namespace {

constexpr std::int64_t kInputs = kFeatures;

class Network final : public engine::Model {
 public:
  explicit Network(const Settings& s)
      : dropout_(s.dropout),
        lstm_(register_module("lstm", torch::nn::LSTM(torch::nn::LSTMOptions(kInputs, s.hidden)
                                                          .num_layers(s.layers)
                                                          .dropout(s.layers > 1 ? s.dropout : 0)
                                                          .batch_first(true)))),
        dense_(*this, s.hidden, {s.dense > 0 ? 1 : 0, s.dense, s.activation, 0}) {
    classes_ = register_module("classes", torch::nn::Linear(dense_.outputs(), kTopologies));
  }

  /// The state behind the last particle of each event tells its class.
  at::Tensor forward(const at::Tensor& particles) override {
    const auto states = std::get<0>(lstm_(particles));  // n x places x hidden
    const auto counts = particles.slice(2, kFirstKind).sum({1, 2}).to(torch::kLong);
    const auto last = (counts - 1).clamp_min(0).view({-1, 1, 1}).expand({-1, 1, states.size(2)});
    auto x = dense_.forward(states.gather(1, last).squeeze(1), is_training());
    if (dropout_ > 0) x = torch::dropout(x, dropout_, is_training());
    return classes_(x);
  }

 private:
  double dropout_;
  torch::nn::LSTM lstm_;
  engine::HiddenLayers dense_;
  torch::nn::Linear classes_{nullptr};
};

}  // namespace

std::shared_ptr<engine::Task> event_task(const Settings& settings,
                                         const collisions::Generated& data) {
  const auto samples_of = [&](engine::Part part) {
    const auto& table = data.of(part);
    return engine::samples_on(table.values.data(), {settings.max_particles, kInputs}, table.labels);
  };
  return std::make_shared<engine::ClassificationTask>(
      [settings] { return std::make_shared<Network>(settings); },
      std::array{samples_of(engine::Part::train), samples_of(engine::Part::validation),
                 samples_of(engine::Part::test)},
      settings.label_smoothing);
}

}  // namespace betatune::sequences
