#include "trainers/torch/higgs/settings.hpp"

#include <nlohmann/json.hpp>

namespace betatune::higgs {
namespace {

constexpr engine::Choice<FeatureSet> kFeatureSets[] = {
    {"all", FeatureSet::all}, {"low", FeatureSet::low}, {"high", FeatureSet::high}};

}  // namespace

Settings read_settings(const std::string& params_json, const std::string& config_json) {
  Settings s;
  engine::Fields params(params_json, "parameter");
  s.layers = static_cast<int>(params.integer("layers", s.layers, 0, 32));
  s.hidden = params.integer("hidden", s.hidden, 1, 65'536);
  s.activation = params.choice("activation", s.activation, engine::kActivations);
  s.dropout = params.real("dropout", s.dropout, 0, 0.95);
  s.label_smoothing = params.real("label_smoothing", s.label_smoothing, 0, 0.99);
  engine::read_recipe(params, s);
  params.finish();

  engine::Fields config(config_json, "trainer.config key");
  engine::read_course(config, s);
  s.features = config.choice("features", s.features, kFeatureSets);
  s.data = collisions::read_data(config, s.data);
  config.finish();
  return s;
}

std::string training_identity(const Settings& s) {
  nlohmann::json identity = engine::identity_of(s);
  identity["model"] = {s.layers, s.hidden, s.activation, s.dropout, s.features};
  identity["label_smoothing"] = s.label_smoothing;
  return identity.dump();
}

}  // namespace betatune::higgs
