#include "trainers/torch/settings.hpp"

#include <nlohmann/json.hpp>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::classifier {
namespace {

using engine::Choice;
using engine::Fields;

constexpr Choice<ModelKind> kModels[] = {{"mlp", ModelKind::mlp}, {"cnn", ModelKind::cnn}};

ModelSettings read_model(Fields& params) {
  ModelSettings model;
  model.kind = params.choice("model", model.kind, kModels);
  model.activation = params.choice("activation", model.activation, engine::kActivations);
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
  engine::read_recipe(params, settings);
  settings.label_smoothing = params.real("label_smoothing", 0, 0, 0.99);
  params.finish();

  Fields config(config_json, "trainer.config key");
  engine::read_course(config, settings);
  settings.data = read_data(config);
  config.finish();
  return settings;
}

std::string training_identity(const Settings& s) {
  nlohmann::json identity = engine::identity_of(s);
  identity["model"] = {s.model.kind,     s.model.activation, s.model.dropout,
                       s.model.layers,   s.model.hidden,     s.model.blocks,
                       s.model.channels, s.model.kernel,     s.model.dense};
  identity["label_smoothing"] = s.label_smoothing;
  return identity.dump();
}

}  // namespace betatune::classifier
