#include "trainers/torch/distributed/asynchronous/gradient_worker.hpp"

#include <algorithm>

#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {

GradientWorkerSettings read_gradient_worker(engine::Fields& fields, double lr) {
  GradientWorkerSettings settings;
  settings.sync_every = fields.integer("sync_every", 1, 1, 1'000'000);
  settings.local_lr = fields.real("local_lr", lr, 0, 1e6);
  return settings;
}

void GradientWorker::begin(const Layers& centre) {
  sum_ = zeros(sizes_of(centre));
  batches_ = 0;
}

bool GradientWorker::accumulate(Layers& parameters, const Layers& gradient) {
  const bool full = batches_ + 1 == settings_.sync_every;
  const auto rate = static_cast<float>(settings_.local_lr);
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    const auto& g = gradient[k];
    auto& sum = sum_[k];
    if (batches_ == 0) {
      std::copy(g.begin(), g.end(), sum.begin());
    } else {
      for (std::size_t i = 0; i < g.size(); ++i) sum[i] += g[i];
    }
    if (full) continue;  // the centre replaces the parameters right away
    for (std::size_t i = 0; i < g.size(); ++i) parameters[k][i] -= rate * g[i];
  }
  batches_ = full ? 0 : batches_ + 1;
  return full;
}

void GradientWorker::contribution(std::size_t layer, std::span<const float> /*parameters*/,
                                  std::span<const float> /*centre*/, std::span<float> push) {
  std::copy(sum_[layer].begin(), sum_[layer].end(), push.begin());
}

void GradientWorker::receive(std::size_t /*layer*/, std::span<float> parameters,
                             std::span<const float> centre) {
  std::copy(centre.begin(), centre.end(), parameters.begin());
}

}  // namespace betatune::distributed::asynchronous
