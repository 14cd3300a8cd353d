#pragma once
/// A model as the parameter servers see it: a list of layers, each one named parameter tensor laid
/// flat. Nothing here knows of tensors, so that all of it is tested without libtorch.

#include <cstddef>
#include <span>
#include <vector>

namespace betatune::distributed::asynchronous {

using Layer = std::vector<float>;
using Layers = std::vector<Layer>;
using Sizes = std::vector<std::size_t>;  ///< elements of each layer

inline Sizes sizes_of(const Layers& layers) {
  Sizes sizes;
  for (const auto& layer : layers) sizes.push_back(layer.size());
  return sizes;
}

inline Layers zeros(const Sizes& sizes) {
  Layers layers;
  for (const std::size_t size : sizes) layers.emplace_back(size, 0.0f);
  return layers;
}

}  // namespace betatune::distributed::asynchronous
