#include "trainers/torch/distributed/asynchronous/server_optimizer.hpp"

#include <cmath>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

constexpr engine::Choice<OptimizerKind> kOptimizers[] = {{"sgd", OptimizerKind::sgd},
                                                         {"adam", OptimizerKind::adam}};

}  // namespace

ServerOptimizerSettings read_optimizer(engine::Fields& fields,
                                       const ServerOptimizerSettings& defaults) {
  ServerOptimizerSettings s = defaults;
  s.kind = fields.choice("optimizer", s.kind, kOptimizers);
  const bool sgd = s.kind == OptimizerKind::sgd;
  s.lr = fields.real("lr", sgd ? s.lr : 1e-3, 1e-12, 1e6);
  s.decay = fields.real("decay", s.decay, 0, 1e3);
  s.weight_decay = fields.real("weight_decay", s.weight_decay, 0, 1e3);
  if (fields.branch("optimizer", "sgd", sgd, {"momentum"})) {
    s.momentum = fields.real("momentum", s.momentum, -0.99, 0.9999);
  }
  if (fields.branch("optimizer", "adam", !sgd, {"beta1", "beta2", "epsilon"})) {
    s.beta1 = fields.real("beta1", s.beta1, 0, 0.99999);
    s.beta2 = fields.real("beta2", s.beta2, 0, 0.999999);
    s.epsilon = fields.real("epsilon", s.epsilon, 1e-30, 1);
  }
  return s;
}

ServerOptimizer::ServerOptimizer(const ServerOptimizerSettings& settings, std::size_t size)
    : settings_(settings) {
  const bool adam = settings.kind == OptimizerKind::adam;
  if (adam || settings.momentum != 0) first_.assign(size, 0.0f);
  if (adam) second_.assign(size, 0.0f);
}

void ServerOptimizer::step(std::span<float> centre, std::span<const float> gradient, float scale) {
  const auto rate =
      static_cast<float>(settings_.lr / (1 + settings_.decay * static_cast<double>(steps_)));
  ++steps_;
  if (settings_.kind == OptimizerKind::sgd) {
    step_sgd(centre, gradient, scale, rate);
  } else {
    step_adam(centre, gradient, scale, rate);
  }
}

void ServerOptimizer::step_sgd(std::span<float> centre, std::span<const float> gradient,
                               float scale, float rate) {
  const auto decay = static_cast<float>(settings_.weight_decay);
  const auto momentum = static_cast<float>(settings_.momentum);
  const std::size_t size = centre.size();
  if (first_.empty()) {
    for (std::size_t i = 0; i < size; ++i) {
      centre[i] -= rate * (scale * gradient[i] + decay * centre[i]);
    }
    return;
  }
  for (std::size_t i = 0; i < size; ++i) {
    first_[i] = momentum * first_[i] + (scale * gradient[i] + decay * centre[i]);
    centre[i] -= rate * first_[i];
  }
}

void ServerOptimizer::step_adam(std::span<float> centre, std::span<const float> gradient,
                                float scale, float rate) {
  const auto steps = static_cast<double>(steps_);
  const auto beta1 = static_cast<float>(settings_.beta1);
  const auto beta2 = static_cast<float>(settings_.beta2);
  const auto epsilon = static_cast<float>(settings_.epsilon);
  const auto correct1 = static_cast<float>(1 - std::pow(settings_.beta1, steps));
  const auto correct2 = static_cast<float>(1 - std::pow(settings_.beta2, steps));
  const float keep = 1 - rate * static_cast<float>(settings_.weight_decay);
  for (std::size_t i = 0; i < centre.size(); ++i) {
    const float g = scale * gradient[i];
    first_[i] = beta1 * first_[i] + (1 - beta1) * g;
    second_[i] = beta2 * second_[i] + (1 - beta2) * g * g;
    const float step = first_[i] / correct1 / (std::sqrt(second_[i] / correct2) + epsilon);
    centre[i] = keep * centre[i] - rate * step;
  }
}

void ServerOptimizer::save(Writer& out) const {
  out.number(steps_).floats(first_).floats(second_);
}

void ServerOptimizer::load(Reader& in) {
  steps_ = in.number<std::uint64_t>();
  in.floats(first_);
  in.floats(second_);
}

}  // namespace betatune::distributed::asynchronous
