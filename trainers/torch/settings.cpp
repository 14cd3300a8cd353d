#include "trainers/torch/settings.hpp"

#include <nlohmann/json.hpp>

#include "trainers/torch/fields.hpp"

namespace betatune::classifier {
namespace {

constexpr Choice<ModelKind> kModels[] = {{"mlp", ModelKind::mlp}, {"cnn", ModelKind::cnn}};
constexpr Choice<Activation> kActivations[] = {{"relu", Activation::relu},
                                               {"gelu", Activation::gelu},
                                               {"tanh", Activation::tanh},
                                               {"silu", Activation::silu},
                                               {"elu", Activation::elu}};
constexpr Choice<OptimizerKind> kOptimizers[] = {{"sgd", OptimizerKind::sgd},
                                                 {"adamw", OptimizerKind::adamw}};
constexpr Choice<ScheduleKind> kSchedules[] = {{"constant", ScheduleKind::constant},
                                               {"cosine", ScheduleKind::cosine},
                                               {"linear", ScheduleKind::linear},
                                               {"step", ScheduleKind::step}};

ModelSettings read_model(Fields& params) {
  ModelSettings model;
  model.kind = params.choice("model", model.kind, kModels);
  model.activation = params.choice("activation", model.activation, kActivations);
  model.dropout = params.real("dropout", model.dropout, 0, 0.95);
  if (params.branch("model", "mlp", model.kind == ModelKind::mlp, {"layers", "hidden"})) {
    model.layers = static_cast<int>(params.integer("layers", model.layers, 0, 32));
    model.hidden = static_cast<int>(params.integer("hidden", model.hidden, 1, 65'536));
  }
  if (params.branch("model", "cnn", model.kind == ModelKind::cnn,
                    {"blocks", "channels", "kernel", "dense"})) {
    model.blocks = static_cast<int>(params.integer("blocks", model.blocks, 1, 8));
    model.channels = static_cast<int>(params.integer("channels", model.channels, 1, 4'096));
    model.kernel = static_cast<int>(params.integer("kernel", model.kernel, 1, 15));
    if (model.kernel % 2 == 0) {
      params.fail("kernel", "an even number; take an odd one (1, 3, 5 ...), which keeps the size");
    }
    model.dense = static_cast<int>(params.integer("dense", model.dense, 0, 65'536));
  }
  return model;
}

OptimizerSettings read_optimizer(Fields& params) {
  OptimizerSettings optimizer;
  optimizer.kind = params.choice("optimizer", optimizer.kind, kOptimizers);
  const bool sgd = optimizer.kind == OptimizerKind::sgd;
  optimizer.lr = params.real("lr", sgd ? 0.05 : 1e-3, 1e-12, 1e12);
  optimizer.weight_decay = params.real("weight_decay", sgd ? 0 : 0.01, 0, 1e3);
  if (params.branch("optimizer", "sgd", sgd, {"momentum", "nesterov"})) {
    optimizer.momentum = params.real("momentum", optimizer.momentum, 0, 0.9999);
    optimizer.nesterov = params.boolean("nesterov", optimizer.nesterov);
    if (optimizer.nesterov && optimizer.momentum == 0) {
      params.fail("nesterov", "true, which needs a momentum above 0");
    }
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
  return schedule;
}

DataSettings read_data(Fields& config) {
  constexpr std::int64_t kMost = 100'000'000;
  DataSettings data;
  data.directory = config.text("data", data.directory);
  data.train_samples = config.optional_integer("train_samples", 1, kMost);
  data.validation_samples = config.integer("validation_samples", data.validation_samples, 1, kMost);
  data.test_samples = config.optional_integer("test_samples", 1, kMost);
  data.split_seed =
      static_cast<std::uint64_t>(config.integer("split_seed", 0, 0, std::int64_t{1} << 53));
  return data;
}

}  // namespace

Settings read_settings(const std::string& params_json, const std::string& config_json) {
  Settings settings;
  Fields params(params_json, "parameter");
  settings.model = read_model(params);
  settings.optimizer = read_optimizer(params);
  settings.schedule = read_schedule(params);
  settings.label_smoothing = params.real("label_smoothing", 0, 0, 0.99);
  settings.batch_size = params.integer("batch_size", settings.batch_size, 1, 1'000'000);
  params.finish();

  Fields config(config_json, "trainer.config key");
  settings.epochs = config.integer("epochs", settings.epochs, 1, 1'000'000);
  settings.data = read_data(config);
  config.finish();
  return settings;
}

std::string training_identity(const Settings& s) {
  const nlohmann::json identity = {
      {"model",
       {s.model.kind, s.model.activation, s.model.dropout, s.model.layers, s.model.hidden,
        s.model.blocks, s.model.channels, s.model.kernel, s.model.dense}},
      {"optimizer",
       {s.optimizer.kind, s.optimizer.lr, s.optimizer.weight_decay, s.optimizer.momentum,
        s.optimizer.nesterov, s.optimizer.beta1, s.optimizer.beta2}},
      {"schedule", {s.schedule.kind, s.schedule.warmup, s.schedule.gamma}},
      {"label_smoothing", s.label_smoothing},
      {"batch_size", s.batch_size},
      {"epochs", s.epochs},
  };
  return identity.dump();
}

}  // namespace betatune::classifier
