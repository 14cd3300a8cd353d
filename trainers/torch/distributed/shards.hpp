#pragma once
/// Who keeps what when parts of a model are dealt out: layers over parameter servers, the
/// optimizer's state over ranks. No libtorch here.

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace betatune::distributed {

/// Whole parts, the largest first, each to the one who has least so far; of equal parts the first,
/// to the first of equal owners. So all who know the sizes make the same plan.
///
/// sizes    of the parts, in any unit
/// owners   how many; at least 1
/// returns  the owner of each part. The fullest owner has at most 4/3 of what the best plan would
///          give it (Graham 1969); one part larger than the rest together is not split
inline std::vector<std::size_t> assign_owners(const std::vector<std::size_t>& sizes,
                                              std::size_t owners) {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sizes[a] > sizes[b]; });
  std::vector<std::size_t> owner(sizes.size()), load(owners, 0);
  for (const std::size_t part : order) {
    const auto least = std::min_element(load.begin(), load.end());
    owner[part] = static_cast<std::size_t>(least - load.begin());
    *least += sizes[part];
  }
  return owner;
}

}  // namespace betatune::distributed
