// Gradient energy matching, GEM (Hermans and Louppe 2018, arXiv:1805.08469).
//
// Each worker keeps the whole swarm at the pace of one process, momentum SGD (the proxy), by
// scaling every element of its step d:
//
//   worker   d <- -lr g;  m <- momentum m + d            (the proxy's velocity)
//            theta <- pull
//            pi <- (kappa |m| - |theta - s|) / (|d| + epsilon), clamped to [0, max_scale]
//            push pi d;  s <- theta;  x <- theta + pi d  (x <- theta if not local_update)
//   server   theta <- theta + push
//
// |theta - s| is how far the others have moved the centre since this worker looked last (s). If
// that is more than the proxy would have gone, pi is 0 and this worker adds nothing.
//
// What is the paper's: the equations but for three things that its published code adds, and that
// matter: pi is clamped to [0, 5] (the paper's pi may be negative or huge); epsilon is 1e-12 (the
// paper: 1e-16, which a float cannot add to most steps); and the worker adds its own step to what
// it pulled (`local_update`; the paper goes on from theta). The code's |d + epsilon| is |d| +
// epsilon here, as in the paper, which is never 0. MPILearn's version starts with s = 0 where the
// paper and its code, and this, start with the first theta. Workers are served in the order of
// arrival.
//
// Fields: lr 0.01, momentum 0.9, kappa 2 (0 to 100; the paper's default is 1, and it finds 2 good
// and 4 diverging), max_scale 5, epsilon 1e-12, local_update true.

#include <algorithm>
#include <cmath>

#include "trainers/torch/distributed/asynchronous/additive_server.hpp"
#include "trainers/torch/engine/fields.hpp"

namespace betatune::distributed::asynchronous {
namespace {

struct EnergySettings {
  float lr, momentum, kappa, max_scale, epsilon;
  bool local_update;
};

class EnergyWorker : public WorkerRule {
 public:
  explicit EnergyWorker(const EnergySettings& settings) : settings_(settings) {}
  void begin(const Layers& centre) override {
    moment_ = step_ = zeros(sizes_of(centre));
    seen_ = centre;
  }
  bool accumulate(Layers& /*parameters*/, const Layers& gradient) override {
    for (std::size_t k = 0; k < gradient.size(); ++k) {
      for (std::size_t i = 0; i < gradient[k].size(); ++i) {
        step_[k][i] = -settings_.lr * gradient[k][i];
        moment_[k][i] = settings_.momentum * moment_[k][i] + step_[k][i];
      }
    }
    return true;
  }
  bool pulls_first() const override { return true; }
  void contribution(std::size_t layer, std::span<const float>, std::span<const float> centre,
                    std::span<float> push) override {
    const auto& s = settings_;
    auto& seen = seen_[layer];
    auto& step = step_[layer];
    for (std::size_t i = 0; i < push.size(); ++i) {
      const float proxy = s.kappa * std::abs(moment_[layer][i]);
      const float moved = std::abs(centre[i] - seen[i]);
      const float scale = (proxy - moved) / (std::abs(step[i]) + s.epsilon);
      push[i] = std::clamp(scale, 0.0f, s.max_scale) * step[i];
      step[i] = push[i];
      seen[i] = centre[i];
    }
  }
  void receive(std::size_t layer, std::span<float> parameters, std::span<const float>) override {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] = settings_.local_update ? seen_[layer][i] + step_[layer][i] : seen_[layer][i];
    }
  }

 private:
  EnergySettings settings_;
  Layers moment_, step_, seen_;
};

EnergySettings read_energy(engine::Fields& fields) {
  EnergySettings s{};
  s.lr = static_cast<float>(fields.real("lr", 0.01, 1e-12, 1e6));
  s.momentum = static_cast<float>(fields.real("momentum", 0.9, 0, 0.9999));
  s.kappa = static_cast<float>(fields.real("kappa", 2, 0, 100));
  s.max_scale = static_cast<float>(fields.real("max_scale", 5, 0, 1e6));
  s.epsilon = static_cast<float>(fields.real("epsilon", 1e-12, 1e-30, 1));
  s.local_update = fields.boolean("local_update", true);
  return s;
}

class EnergyMatching : public Strategy {
 public:
  explicit EnergyMatching(engine::Fields& fields) : settings_(read_energy(fields)) {}
  std::unique_ptr<WorkerRule> worker() const override {
    return std::make_unique<EnergyWorker>(settings_);
  }
  std::unique_ptr<ServerRule> server(std::size_t) const override {
    return std::make_unique<AdditiveServer>();
  }

 private:
  EnergySettings settings_;
};

const Registration kEnergyMatching("gem",
                                   "gradient energy matching: keeps the pace of one momentum SGD",
                                   [](engine::Fields& fields, int) -> std::unique_ptr<Strategy> {
                                     return std::make_unique<EnergyMatching>(fields);
                                   });

}  // namespace
}  // namespace betatune::distributed::asynchronous
