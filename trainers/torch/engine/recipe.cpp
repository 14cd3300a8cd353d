#include "trainers/torch/engine/recipe.hpp"

#include <nlohmann/json.hpp>

namespace betatune::engine {
namespace {

using Json = nlohmann::json;

constexpr Choice<OptimizerKind> kOptimizers[] = {{"sgd", OptimizerKind::sgd},
                                                 {"adamw", OptimizerKind::adamw}};
constexpr Choice<ScheduleKind> kSchedules[] = {{"constant", ScheduleKind::constant},
                                               {"cosine", ScheduleKind::cosine},
                                               {"linear", ScheduleKind::linear},
                                               {"step", ScheduleKind::step},
                                               {"exponential", ScheduleKind::exponential}};

constexpr Choice<Precision> kPrecisions[] = {{"float32", Precision::float32},
                                             {"bf16", Precision::bf16}};

void read_momentum(Fields& params, OptimizerSettings& optimizer) {
  optimizer.momentum = params.real("momentum", optimizer.momentum, 0, 0.9999);
  optimizer.momentum_ramp = params.real("momentum_ramp", optimizer.momentum_ramp, 0, 1);
  const bool ramp = optimizer.momentum_ramp > 0;
  optimizer.momentum_final = params.real("momentum_final", optimizer.momentum_final, 0, 0.9999);
  if (ramp && optimizer.momentum_final < optimizer.momentum) {
    params.fail("momentum_final",
                "below `momentum`, from which it grows; raise it, or leave "
                "momentum_ramp out");
  }
  optimizer.nesterov = params.boolean("nesterov", optimizer.nesterov);
  if (optimizer.nesterov && optimizer.momentum == 0) {
    params.fail("nesterov", "true, which needs a momentum above 0");
  }
}

OptimizerSettings read_optimizer(Fields& params) {
  OptimizerSettings optimizer;
  optimizer.kind = params.choice("optimizer", optimizer.kind, kOptimizers);
  const bool sgd = optimizer.kind == OptimizerKind::sgd;
  optimizer.lr = params.real("lr", sgd ? 0.05 : 1e-3, 1e-12, 1e12);
  optimizer.weight_decay = params.real("weight_decay", sgd ? 0 : 0.01, 0, 1e3);
  optimizer.clip_norm = params.real("clip_norm", optimizer.clip_norm, 0, 1e12);
  if (params.branch("optimizer", "sgd", sgd,
                    {"momentum", "momentum_ramp", "momentum_final", "nesterov"})) {
    read_momentum(params, optimizer);
  }
  if (params.branch("optimizer", "adamw", !sgd, {"beta1", "beta2"})) {
    optimizer.beta1 = params.real("beta1", optimizer.beta1, 0, 0.99999);
    optimizer.beta2 = params.real("beta2", optimizer.beta2, 0, 0.999999);
  }
  return optimizer;
}

ScheduleSettings read_schedule(Fields& params) {
  ScheduleSettings schedule;
  schedule.kind = params.choice("schedule", schedule.kind, kSchedules);
  schedule.warmup = params.real("warmup", schedule.warmup, 0, 0.9);
  if (params.branch("schedule", "step", schedule.kind == ScheduleKind::step, {"gamma"})) {
    schedule.gamma = params.real("gamma", schedule.gamma, 1e-6, 1);
  }
  if (params.branch("schedule", "exponential", schedule.kind == ScheduleKind::exponential,
                    {"decay"})) {
    schedule.decay = params.real("decay", schedule.decay, 1e-12, 1);
  }
  return schedule;
}

void merge_distributed(const Fields& from, const std::string& more, Recipe& recipe) {
  Json merged = Json::parse(recipe.distributed);
  const Json added = Json::parse(more);
  for (const auto& [name, value] : added.items()) {
    if (merged.contains(name)) {
      from.fail("distributed." + name,
                "given in trainer.config and as a parameter; leave one of them out");
    }
    merged[name] = value;
  }
  recipe.distributed = merged.dump();
}

}  // namespace

void read_recipe(Fields& params, Recipe& recipe) {
  recipe.optimizer = read_optimizer(params);
  recipe.schedule = read_schedule(params);
  recipe.batch_size = params.integer("batch_size", recipe.batch_size, 1, 1'000'000);
  recipe.precision = params.choice("precision", recipe.precision, kPrecisions);
  merge_distributed(params, params.with_prefix("distributed."), recipe);
}

void read_course(Fields& config, Recipe& recipe) {
  recipe.epochs = config.integer("epochs", recipe.epochs, 1, 1'000'000);
  merge_distributed(config, config.object("distributed"), recipe);
}

Json identity_of(const Recipe& recipe) {
  const OptimizerSettings& o = recipe.optimizer;
  const ScheduleSettings& s = recipe.schedule;
  Json identity = {
      {"optimizer", {o.kind, o.lr, o.weight_decay, o.momentum, o.nesterov, o.beta1, o.beta2}},
      {"schedule", {s.kind, s.warmup, s.gamma}},
      {"batch_size", recipe.batch_size},
      {"epochs", recipe.epochs},
  };
  if (recipe.distributed != "{}") identity["distributed"] = Json::parse(recipe.distributed);
  if (o.clip_norm > 0) identity["clip_norm"] = o.clip_norm;
  if (o.momentum_ramp > 0) identity["momentum_ramp"] = {o.momentum_ramp, o.momentum_final};
  if (recipe.precision != Precision::float32) identity["precision"] = recipe.precision;
  if (s.kind == ScheduleKind::exponential) identity["decay"] = s.decay;
  return identity;
}

std::string lasting_part(const std::string& identity) {
  Json parsed = Json::parse(identity, nullptr, /*allow_exceptions=*/false);
  const Json optimizer = parsed.is_object() ? parsed.value("optimizer", Json()) : Json();
  if (!optimizer.is_array() || optimizer.empty()) return identity;
  parsed["optimizer"] = optimizer[0];  // the kind: its state is its own
  for (const char* each : {"schedule", "batch_size", "precision", "clip_norm", "momentum_ramp",
                           "decay", "label_smoothing"}) {
    parsed.erase(each);
  }
  return parsed.dump();
}

}  // namespace betatune::engine
