#pragma once
/// How a model is trained, whatever the model: optimizer, learning rate, batches, epochs. The
/// parameters that all trainers of this folder have in common are read here, once.
/// docs/torch-engine.md is the user's page for their names.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::engine {

enum class OptimizerKind { sgd, adamw };
enum class ScheduleKind { constant, cosine, linear, step, exponential };
enum class Precision { float32, bf16 };

struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::adamw;
  double lr = 1e-3;
  double weight_decay = 0;
  double momentum = 0.9;  // sgd
  bool nesterov = false;
  double beta1 = 0.9;  // adamw
  double beta2 = 0.999;
  double clip_norm = 0;  ///< gradients of a larger norm are scaled down to it; 0: never
  // sgd: momentum grows linearly to momentum_final within this fraction of the training; 0: stays
  double momentum_final = 0.99;
  double momentum_ramp = 0;
};

struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::cosine;
  double warmup = 0;   ///< fraction of the whole training with a growing rate
  double gamma = 0.1;  ///< factor of the step schedule, applied at 1/2 and at 3/4
  double decay = 0.1;  ///< exponential: what is left of the rate at the end
};

struct Recipe {
  OptimizerSettings optimizer;
  ScheduleSettings schedule;
  std::int64_t batch_size = 64;  ///< of all ranks together
  Precision precision = Precision::float32;
  std::int64_t epochs = 1;  ///< of a full training: the schedule's length
  /// How ranks work together, a JSON object for distributed::read_settings(): `distributed` of
  /// trainer.config, and the parameters `distributed.*`.
  std::string distributed = "{}";
};

/// Takes optimizer, schedule, batch_size and distributed.* from a trial's parameters.
/// errors plugin::Failure that names the parameter, its value and what is allowed
void read_recipe(Fields& params, Recipe& recipe);

/// `epochs` and `distributed` of trainer.config.
/// errors plugin::Failure, also for what is given there and as a parameter
void read_course(Fields& config, Recipe& recipe);

/// What of a recipe decides a training's result, for checkpoints. Members that came later appear
/// only where they have an effect, so that older checkpoints stay good.
nlohmann::json identity_of(const Recipe& recipe);

/// What of such a text (with more members of a trainer's own) a checkpoint's weights and optimizer
/// state fit to alone: all but rates, schedule, batch size and the like, which a training may go on
/// with changed, as a copy does in population-based training. Any other text is returned as it is.
std::string lasting_part(const std::string& identity);

}  // namespace betatune::engine
