#include "trainers/torch/distributed/buckets.hpp"

#include <map>
#include <utility>

namespace betatune::distributed {

std::vector<std::vector<std::size_t>> assign_buckets(const std::vector<GradientSize>& sizes,
                                                     const std::vector<std::size_t>& order,
                                                     const BucketLimits& limits) {
  struct Open {
    std::vector<std::size_t> indices;
    std::size_t bytes = 0;
  };
  std::map<int, Open> open;
  std::vector<std::vector<std::size_t>> buckets;
  for (const std::size_t index : order) {
    Open& bucket = open[sizes[index].kind];
    bucket.indices.push_back(index);
    bucket.bytes += sizes[index].bytes;
    if (bucket.bytes < (buckets.empty() ? limits.first_bytes : limits.bytes)) continue;
    buckets.push_back(std::move(bucket.indices));
    bucket = Open{};
  }
  for (auto& [kind, bucket] : open) {
    if (!bucket.indices.empty()) buckets.push_back(std::move(bucket.indices));
  }
  return buckets;
}

std::vector<std::size_t> reverse_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = count - 1 - i;
  return order;
}

}  // namespace betatune::distributed
