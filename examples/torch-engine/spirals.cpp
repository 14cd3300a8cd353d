// A trainer of one's own on Betatune's training engine: a network, data and their names. The rest
// (batches, optimizers, schedules, reports, exact resuming, GPUs, errors that name the parameter)
// is the engine's. Here: tell the arms of three noisy spirals apart.

#include <array>
#include <cmath>
#include <memory>
#include <torch/types.h>

#include "trainers/torch/engine/classification.hpp"
#include "trainers/torch/engine/layers.hpp"
#include "trainers/torch/engine/random.hpp"
#include "trainers/torch/engine/trainer.hpp"

namespace {

using namespace betatune::engine;

constexpr int kArms = 3;

/// inputs: n x 2 coordinates; labels: the arm of each.
Samples spirals(std::int64_t n, std::uint64_t key) {
  Samples samples{torch::empty({n, 2}), torch::empty({n}, torch::kLong)};
  Stream random(key);
  for (std::int64_t i = 0; i < n; ++i) {
    const double radius = random.uniform(), arm = static_cast<double>(i % kArms);
    const double angle = 2 * M_PI * (0.6 * radius + arm / kArms) + 0.15 * random.normal();
    samples.inputs[i][0] = radius * std::cos(angle);
    samples.inputs[i][1] = radius * std::sin(angle);
    samples.labels[i] = i % kArms;
  }
  return samples;
}

class Network final : public Model {
 public:
  explicit Network(const HiddenSettings& settings) : hidden_(*this, 2, settings) {
    arms_ = register_module("arms", torch::nn::Linear(hidden_.outputs(), kArms));
  }
  at::Tensor forward(const at::Tensor& points) override {
    return arms_(hidden_.forward(points, is_training()));
  }

 private:
  HiddenLayers hidden_;
  torch::nn::Linear arms_{nullptr};
};

class Spirals final : public EpochTrainer {
 public:
  using EpochTrainer::EpochTrainer;

 protected:
  Training prepare(const betatune_job& job) override {
    Training training;
    Fields params(job.params_json, "parameter");
    HiddenSettings hidden;
    hidden.layers = static_cast<int>(params.integer("layers", 2, 1, 8));
    hidden.units = params.integer("hidden", 32, 1, 4096);
    hidden.activation = params.choice("activation", Activation::tanh, kActivations);
    read_recipe(params, training.recipe);  // optimizer, lr, schedule, batch_size ...
    params.finish();                       // a name that nobody asked for is an error

    Fields config(job.config_json, "trainer.config key");
    read_course(config, training.recipe);
    const auto points = config.integer("points", 1200, 100, 1'000'000);
    config.finish();

    training.task = std::make_shared<ClassificationTask>(
        [hidden] { return std::make_shared<Network>(hidden); },
        std::array{spirals(points, 1), spirals(600, 2), spirals(600, 3)});
    training.samples = "points";
    return training;
  }
};

}  // namespace

BETATUNE_TRAINER(Spirals, "spirals", "1.0");
