#include "trainers/torch/sequences/settings.hpp"

#include <nlohmann/json.hpp>

namespace betatune::sequences {

Settings read_settings(const std::string& params_json, const std::string& config_json) {
  Settings s;
  engine::Fields params(params_json, "parameter");
  s.hidden = params.integer("hidden", s.hidden, 1, 65'536);
  s.layers = static_cast<int>(params.integer("layers", s.layers, 1, 16));
  s.dense = params.integer("dense", s.dense, 0, 65'536);
  s.activation = params.choice("activation", s.activation, engine::kActivations);
  s.dropout = params.real("dropout", s.dropout, 0, 0.95);
  s.label_smoothing = params.real("label_smoothing", s.label_smoothing, 0, 0.99);
  engine::read_recipe(params, s);
  params.finish();

  engine::Fields config(config_json, "trainer.config key");
  engine::read_course(config, s);
  s.max_particles = config.integer("max_particles", s.max_particles, 1, 1'000);
  s.data = collisions::read_data(config, s.data);
  config.finish();
  return s;
}

std::string training_identity(const Settings& s) {
  nlohmann::json identity = engine::identity_of(s);
  identity["model"] = {s.hidden, s.layers, s.dense, s.activation, s.dropout};
  identity["max_particles"] = s.max_particles;
  identity["label_smoothing"] = s.label_smoothing;
  return identity.dump();
}

}  // namespace betatune::sequences
