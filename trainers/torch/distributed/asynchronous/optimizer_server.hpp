#pragma once
/// The server of the rules that apply every gradient as it arrives: one step of the optimizer.

#include "trainers/torch/distributed/asynchronous/rule.hpp"
#include "trainers/torch/distributed/asynchronous/server_optimizer.hpp"

namespace betatune::distributed::asynchronous {

class OptimizerServer : public ServerRule {
 public:
  OptimizerServer(const ServerOptimizerSettings& settings, std::size_t size)
      : optimizer_(settings, size) {}
  Outcome apply(std::span<float> centre, std::span<const float> push, const Arrival&) override {
    optimizer_.step(centre, push);
    return Outcome::applied;
  }
  void save(Writer& out) const override { optimizer_.save(out); }
  void load(Reader& in) override { optimizer_.load(in); }

 private:
  ServerOptimizer optimizer_;
};

}  // namespace betatune::distributed::asynchronous
