#pragma once
/// The server of the rules whose workers decide on the step themselves: theta <- theta + push.

#include "trainers/torch/distributed/asynchronous/rule.hpp"

namespace betatune::distributed::asynchronous {

class AdditiveServer : public ServerRule {
 public:
  Outcome apply(std::span<float> centre, std::span<const float> push, const Arrival&) override {
    for (std::size_t i = 0; i < centre.size(); ++i) centre[i] += push[i];
    return Outcome::applied;
  }
  void save(Writer&) const override {}
  void load(Reader&) override {}
};

}  // namespace betatune::distributed::asynchronous
