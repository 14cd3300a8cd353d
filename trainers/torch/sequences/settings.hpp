#pragma once
/// The parameters and `trainer.config` of torch_sequences, read and checked.
/// docs/torch-sequences.md is the user's page for these names.

#include <string>

#include "trainers/torch/collisions/generated.hpp"
#include "trainers/torch/engine/activation.hpp"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::sequences {

struct Settings : engine::Recipe {
  std::int64_t hidden = 32;  ///< units of each layer of the LSTM
  int layers = 1;            ///< of the LSTM
  std::int64_t dense = 0;    ///< units of the layer between the LSTM and the classes; 0: none
  engine::Activation activation = engine::Activation::relu;  ///< of that layer
  double dropout = 0;  ///< between the layers of the LSTM, and before the classes
  double label_smoothing = 0;
  std::int64_t max_particles = 24;  ///< that are kept of each event
  collisions::DataSettings data{20'000, 6'000, 6'000, 0};
};

/// errors plugin::Failure that names the parameter or key, its value and what is allowed
Settings read_settings(const std::string& params_json, const std::string& config_json);

/// Canonical text of everything but seed and data that a training's result depends on.
std::string training_identity(const Settings& settings);

}  // namespace betatune::sequences
