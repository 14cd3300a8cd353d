#pragma once
/// The parameters and `trainer.config` of torch_higgs, read and checked. docs/torch-higgs.md is the
/// user's page for these names.

#include <string>

#include "trainers/torch/collisions/generated.hpp"
#include "trainers/torch/engine/activation.hpp"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::higgs {

/// Which features the network sees: the measured ones, the derived masses, or both.
enum class FeatureSet { all, low, high };

struct Settings : engine::Recipe {
  int layers = 4;             ///< hidden ones
  std::int64_t hidden = 100;  ///< units of each
  engine::Activation activation = engine::Activation::tanh;
  double dropout = 0;  ///< after each hidden layer
  double label_smoothing = 0;
  FeatureSet features = FeatureSet::all;
  collisions::DataSettings data{50'000, 20'000, 20'000, 0};
};

/// errors plugin::Failure that names the parameter or key, its value and what is allowed
Settings read_settings(const std::string& params_json, const std::string& config_json);

/// Canonical text of everything but seed and data that a training's result depends on.
std::string training_identity(const Settings& settings);

}  // namespace betatune::higgs
