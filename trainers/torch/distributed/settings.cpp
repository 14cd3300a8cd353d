#include "trainers/torch/distributed/settings.hpp"

#include <nlohmann/json.hpp>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed {
namespace {

using engine::Choice;
using engine::Fields;
using Json = nlohmann::json;

constexpr const char* kDataParallel = "data-parallel";
constexpr const char* kSetting = "distributed setting";

constexpr Choice<Backend> kBackends[] = {{"auto", Backend::automatic},
                                         {"shared_memory", Backend::shared_memory},
                                         {"gloo", Backend::gloo},
                                         {"nccl", Backend::nccl}};
constexpr Choice<bool> kBatches[] = {{"global", false}, {"per_rank", true}};
constexpr Choice<bool> kSubMasterReduce[] = {{"sum", false}, {"mean", true}};
constexpr Choice<RateScaling> kScalings[] = {
    {"none", RateScaling::none}, {"linear", RateScaling::linear}, {"sqrt", RateScaling::sqrt}};
constexpr Choice<CompressionKind> kCompressions[] = {{"none", CompressionKind::none},
                                                     {"fp16", CompressionKind::fp16},
                                                     {"bf16", CompressionKind::bf16},
                                                     {"powersgd", CompressionKind::powersgd}};

std::size_t mebibytes(Fields& fields, const char* name, std::size_t fallback) {
  constexpr double kMebibyte = 1 << 20;
  const double given = fields.real(name, static_cast<double>(fallback) / kMebibyte, 0, 65'536);
  return static_cast<std::size_t>(given * kMebibyte);
}

/// What every strategy has.
void read_common(Fields& fields, Settings& settings) {
  settings.backend = fields.choice("backend", settings.backend, kBackends);
  settings.batch_per_rank = fields.choice("batch", settings.batch_per_rank, kBatches);
  settings.lr_scaling = fields.choice("lr_scaling", settings.lr_scaling, kScalings);
  if (settings.lr_scaling != RateScaling::none && !settings.batch_per_rank) {
    fields.fail("lr_scaling",
                "given, but the batch does not grow with the ranks; add `batch: per_rank`");
  }
}

void read_data_parallel(Fields& fields, Settings& settings) {
  settings.buckets.bytes = mebibytes(fields, "bucket_mib", settings.buckets.bytes);
  settings.buckets.first_bytes =
      mebibytes(fields, "first_bucket_mib", settings.buckets.first_bytes);
  settings.check_finite = fields.boolean("check_finite", settings.check_finite);
  settings.shard_optimizer = fields.boolean("shard_optimizer", settings.shard_optimizer);
  settings.timeline = fields.boolean("timeline", settings.timeline);
  const bool tune = fields.boolean("tune_communication", false);
  if (fields.branch("tune_communication", "true", tune, {"tune_window"})) {
    settings.tuning_window = static_cast<int>(fields.integer("tune_window", 10, 3, 1'000));
    for (const auto& [name, bytes] : {std::pair{"bucket_mib", settings.buckets.bytes},
                                      {"first_bucket_mib", settings.buckets.first_bytes}}) {
      if (bytes == 0)
        fields.fail(name, "0, from which tune_communication cannot begin; leave it out");
    }
  }
  CompressionOptions& compression = settings.compression;
  compression.kind = fields.choice("compression", compression.kind, kCompressions);
  if (fields.branch("compression", "powersgd", compression.kind == CompressionKind::powersgd,
                    {"compression_rank", "compression_start"})) {
    compression.rank =
        static_cast<int>(fields.integer("compression_rank", compression.rank, 1, 64));
    compression.start = fields.integer("compression_start", compression.start, 0, 1'000'000);
  }
}

/// Rules whose workers take the steps themselves, with plain or momentum SGD.
bool steps_with_sgd_alone(const std::string& strategy) {
  return strategy == "easgd" || strategy == "gem" || strategy == "agn";
}

bool has_momentum(const std::string& strategy) {
  return strategy != "agn";
}

void check_name(const Fields& fields, const std::string& strategy) {
  std::string names = kDataParallel;
  for (const asynchronous::RuleName& rule : asynchronous::strategies()) {
    if (rule.name == strategy) return;
    names += ", " + rule.name;
  }
  fields.fail("strategy", '"' + strategy + "\"; it must be one of " + names);
}

void check_optimizer(const Fields& fields, const std::string& strategy,
                     const engine::Recipe& recipe) {
  const engine::OptimizerSettings& o = recipe.optimizer;
  const std::string value = '"' + strategy + "\", ";
  const bool adam = o.kind == engine::OptimizerKind::adamw;
  if (adam && steps_with_sgd_alone(strategy)) {
    fields.fail("strategy", value + "which steps with sgd; set the parameter `optimizer: sgd`");
  }
  if (!adam && !has_momentum(strategy) && o.momentum > 0) {
    fields.fail("strategy", value + "which has no momentum; set the parameter `momentum: 0`");
  }
  if (o.nesterov || o.momentum_ramp > 0) {
    fields.fail("strategy", value + "whose servers know neither `nesterov` nor `momentum_ramp`");
  }
  const bool constant =
      recipe.schedule.kind == engine::ScheduleKind::constant && recipe.schedule.warmup == 0;
  if (adam && !constant) {
    fields.fail("strategy", value +
                                "whose servers keep one rate for adamw; set `schedule: constant` "
                                "without warmup, or `optimizer: sgd`");
  }
}

void read_sub_masters(Fields& fields, Settings& settings, int size) {
  // Each has two workers or more.
  settings.sub_masters = static_cast<int>(fields.integer("sub_masters", 0, 0, size / 2));
  settings.sub_masters_mean = fields.choice("sub_master_reduce", false, kSubMasterReduce);
}

void check_sub_masters(const Fields& fields, const Settings& settings, const std::string& given) {
  if (settings.sub_masters == 0) {
    if (!Json::parse(given).contains("sub_master_reduce")) return;
    fields.fail("sub_master_reduce", "given, but there is none; add `sub_masters: 2`");
  }
  const std::string value = std::to_string(settings.sub_masters) + ", but `";
  const auto& rule = *settings.asynchronous;
  if (!rule.strategy->additive()) {
    fields.fail("sub_masters", value + rule.name + "` pushes what cannot be summed; leave it out");
  }
  if (rule.strategy->groups() > 0) {
    fields.fail("sub_masters", value + rule.name + "` has groups in their place; leave it out");
  }
}

/// What the rules of the servers read: the study's own fields, and the optimizer's parameters.
std::string server_settings(Json own, const std::string& strategy, const engine::Recipe& recipe) {
  const engine::OptimizerSettings& o = recipe.optimizer;
  own["lr"] = o.lr;
  if (o.kind == engine::OptimizerKind::sgd) {
    // Weight decay is added to the gradient by the workers, as torch::optim::SGD does.
    if (has_momentum(strategy) && !own.contains("momentum")) own["momentum"] = o.momentum;
  } else {
    own["optimizer"] = "adam";
    own["beta1"] = o.beta1;
    own["beta2"] = o.beta2;
    own["weight_decay"] = o.weight_decay;
  }
  return own.dump();
}

}  // namespace

Settings read_settings(const engine::Recipe& recipe, int size) {
  Settings settings;
  Fields fields(recipe.distributed, kSetting);
  const std::string strategy = fields.text("strategy", kDataParallel);
  read_common(fields, settings);
  if (strategy == kDataParallel) {
    read_data_parallel(fields, settings);
    fields.finish();
    return settings;
  }
  check_name(fields, strategy);
  for (const char* name : {"optimizer", "lr", "weight_decay", "beta1", "beta2"}) {
    if (Json::parse(recipe.distributed).contains(name)) {
      fields.fail(name, "a parameter of the trial: leave `distributed.` off its name");
    }
  }
  settings.servers = static_cast<int>(fields.integer("servers", 1, 1, size));
  read_sub_masters(fields, settings, size);
  Json own = Json::parse(recipe.distributed);
  for (const char* name :
       {"backend", "batch", "lr_scaling", "servers", "sub_masters", "sub_master_reduce"})
    own.erase(name);
  check_optimizer(fields, strategy, recipe);
  settings.strategy_json = server_settings(own, strategy, for_gang(recipe, settings, size));
  settings.asynchronous = asynchronous::read_strategy(settings.strategy_json, size);
  check_sub_masters(fields, settings, recipe.distributed);
  return settings;
}

engine::Recipe for_gang(engine::Recipe recipe, const Settings& settings, int size) {
  if (!settings.batch_per_rank) return recipe;
  recipe.batch_size *= size;
  recipe.optimizer.lr *= rate_factor(settings.lr_scaling, size);
  return recipe;
}

}  // namespace betatune::distributed
