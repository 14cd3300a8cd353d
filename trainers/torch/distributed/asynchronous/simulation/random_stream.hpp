#pragma once
/// Draws for the simulator: a stream is a key and a counter, so that what one worker draws does not
/// depend on the order in which workers act.

#include <cmath>
#include <numbers>

#include "trainers/torch/engine/random.hpp"

namespace betatune::distributed::asynchronous {

class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream)
      : key_(engine::scramble(engine::scramble(seed) + stream)) {}
  std::uint64_t bits() { return engine::scramble(key_ + counter_++); }
  /// in (0, 1)
  double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
  std::size_t below(std::size_t count) {
    return static_cast<std::size_t>(uniform() * static_cast<double>(count));
  }
  /// Box and Muller 1958
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace betatune::distributed::asynchronous
