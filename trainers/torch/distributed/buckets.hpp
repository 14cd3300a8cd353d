#pragma once
/// Gradients are exchanged in buckets: small enough that the first is on its way while the backward
/// pass goes on, large enough that the cost per message is of no account. No libtorch here.

#include <cstddef>
#include <vector>

namespace betatune::distributed {

struct BucketLimits {
  std::size_t first_bytes = 1 << 20;  ///< of the first bucket: it shall leave early
  std::size_t bytes = 25 << 20;
};

/// One gradient; gradients of different kinds (element type, device) never share a bucket.
struct GradientSize {
  std::size_t bytes = 0;
  int kind = 0;
};

/// Buckets in the order in which they are exchanged, each a list of indices into `sizes`.
///
/// order    every index once, in the order in which the gradients get ready
/// returns  a bucket is closed when it has reached its limit, so none but a last one of its kind is
///          smaller; a gradient larger than the limit ends its bucket
/// source   Li et al. 2020, arXiv:2006.15704, section 4.2
std::vector<std::vector<std::size_t>> assign_buckets(const std::vector<GradientSize>& sizes,
                                                     const std::vector<std::size_t>& order,
                                                     const BucketLimits& limits);

/// The order before any backward pass was seen: that of the parameters, backwards.
std::vector<std::size_t> reverse_order(std::size_t count);

}  // namespace betatune::distributed
