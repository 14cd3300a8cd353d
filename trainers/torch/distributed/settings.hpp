#pragma once
/// How the ranks of a trial work together, as the study says it. docs/distributed.md is the user's
/// page for these names. No libtorch here.

#include <cstdint>
#include <optional>
#include <string>

#include "trainers/torch/distributed/asynchronous/registry.hpp"
#include "trainers/torch/distributed/buckets.hpp"
#include "trainers/torch/distributed/learning_rate.hpp"
#include "trainers/torch/distributed/world.hpp"
#include "trainers/torch/engine/recipe.hpp"

namespace betatune::distributed {

enum class CompressionKind { none, fp16, bf16, powersgd };

struct CompressionOptions {
  CompressionKind kind = CompressionKind::none;
  int rank = 4;             ///< powersgd: columns of the two matrices
  std::int64_t start = 10;  ///< powersgd: steps before it begins; gradients change fast at first
};

struct Settings {
  Backend backend = Backend::automatic;
  bool batch_per_rank = false;  ///< batch_size is of one rank, not of all together
  RateScaling lr_scaling = RateScaling::none;
  // data-parallel
  BucketLimits buckets;
  CompressionOptions compression;
  bool check_finite = true;
  bool shard_optimizer = false;
  bool timeline = false;
  int tuning_window = 0;  ///< steps that score one way of exchanging gradients; 0: not tuned
  /// Another strategy than data-parallel.
  std::optional<asynchronous::Configured> asynchronous;
  int servers = 1;
  int sub_masters = 0;
  bool sub_masters_mean = false;
  std::string strategy_json;  ///< what `asynchronous` was read from
};

/// recipe  its `distributed`; optimizer, rate and momentum are those of the parameter servers where
///         there are any
/// size    ranks
/// errors  plugin::Failure that names the setting, its value and what is allowed
Settings read_settings(const engine::Recipe& recipe, int size);

/// The recipe as a gang of `size` trains it: batch size and learning rate.
engine::Recipe for_gang(engine::Recipe recipe, const Settings& settings, int size);

}  // namespace betatune::distributed
