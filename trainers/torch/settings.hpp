#pragma once
/// What one training is: the trial's parameters and the study's `trainer.config`, read and checked.
/// docs/torch-classifier.md is the user's page for these names.

#include <cstdint>
#include <optional>
#include <string>

#include "trainers/torch/engine/activation.hpp"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::classifier {

enum class ModelKind { mlp, cnn };
using engine::Activation;
using engine::OptimizerKind;
using engine::OptimizerSettings;
using engine::ScheduleKind;
using engine::ScheduleSettings;

struct ModelSettings {
  ModelKind kind = ModelKind::cnn;
  Activation activation = Activation::relu;
  double dropout = 0;
  // mlp
  int layers = 2;    ///< hidden layers
  int hidden = 256;  ///< units of each
  // cnn
  int blocks = 2;     ///< convolution + 2x2 pooling
  int channels = 16;  ///< of the first block; each further block doubles them
  int kernel = 3;     ///< odd
  int dense = 64;     ///< units of the layer before the classes; 0 leaves it out
};

struct DataSettings {
  std::string directory = "/usr/share/datasets/fashion-mnist";
  std::optional<std::int64_t> train_samples;  ///< default: all that validation leaves
  std::int64_t validation_samples = 5'000;
  std::optional<std::int64_t> test_samples;  ///< default: all
  std::uint64_t split_seed = 0;  ///< apart from the trial's seed: all trials see one split
};

struct Settings : engine::Recipe {
  ModelSettings model;
  double label_smoothing = 0;
  DataSettings data;
};

/// errors plugin::Failure that names the parameter or key, its value and what is allowed
Settings read_settings(const std::string& params_json, const std::string& config_json);

/// Canonical text of everything that a training's result depends on (but where the data lie): two
/// trainings with equal text, seed and data are the same.
std::string training_identity(const Settings& settings);

}  // namespace betatune::classifier
