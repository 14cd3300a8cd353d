#pragma once
/// What a server does with a gradient once a rule has weighed it.

#include <cstdint>
#include <memory>
#include <string>

#include "trainers/torch/distributed/asynchronous/bytes.hpp"
#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::engine {
class Fields;
}

namespace betatune::distributed::asynchronous {

enum class OptimizerKind { sgd, adam };

/// Step t = 0, 1, ... uses the rate lr / (1 + decay t).
/// sgd    v <- momentum v + g + weight_decay theta;  theta <- theta - rate v
/// adam   Kingma and Ba 2015, arXiv:1412.6980, with decoupled weight decay
///        (theta <- theta - rate weight_decay theta first; Loshchilov and Hutter, arXiv:1711.05101)
/// A momentum below 0 takes back part of the momentum that asynchrony adds by itself: with n
/// workers about 1 - 1/n (Mitliagkas et al. 2016, arXiv:1605.09774).
struct ServerOptimizerSettings {
  OptimizerKind kind = OptimizerKind::sgd;
  double lr = 0.01;
  double decay = 0;
  double weight_decay = 0;
  double momentum = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

/// Reads `optimizer` (sgd, adam), `lr`, `decay`, `weight_decay` and what belongs to the optimizer:
/// `momentum` (-0.99 to 0.9999), or `beta1`, `beta2`, `epsilon`.
ServerOptimizerSettings read_optimizer(engine::Fields& fields,
                                       const ServerOptimizerSettings& defaults = {});

/// The optimizer of one layer.
class ServerOptimizer {
 public:
  ServerOptimizer(const ServerOptimizerSettings& settings, std::size_t size);
  /// One step along `gradient` * scale; `centre` has the layer's size.
  void step(std::span<float> centre, std::span<const float> gradient, float scale = 1);
  void save(Writer& out) const;
  void load(Reader& in);

 private:
  void step_sgd(std::span<float> centre, std::span<const float> gradient, float scale, float rate);
  void step_adam(std::span<float> centre, std::span<const float> gradient, float scale, float rate);

  ServerOptimizerSettings settings_;
  std::uint64_t steps_ = 0;
  Layer first_;   ///< velocity (sgd with momentum) or first moment (adam); else empty
  Layer second_;  ///< second moment (adam)
};

}  // namespace betatune::distributed::asynchronous
