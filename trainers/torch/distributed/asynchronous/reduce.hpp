#pragma once
/// The one way in which gradients of equal batches become one: summed in the order of their ranks,
/// then divided. Synchronous servers and groups share it, so that they agree to the last bit.

#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::distributed::asynchronous {

/// out <- (parts[0] + parts[1] + ...) * scale; the sizes are equal, and there is at least one part.
inline void reduce_in_order(std::span<const std::span<const float>> parts, float scale,
                            std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    float sum = parts[0][i];
    for (std::size_t k = 1; k < parts.size(); ++k) sum += parts[k][i];
    out[i] = sum * scale;
  }
}

}  // namespace betatune::distributed::asynchronous
