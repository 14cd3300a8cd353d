#include "trainers/torch/engine/auc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace betatune::engine {

double area_under_curve(std::span<const double> discriminants,
                        std::span<const std::int64_t> labels) {
  const auto is_nan = [](double x) { return std::isnan(x); };
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (std::any_of(discriminants.begin(), discriminants.end(), is_nan)) return kNaN;
  std::vector<std::size_t> order(discriminants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return discriminants[a] < discriminants[b]; });
  double below = 0, above = 0, won = 0;  // class 0 so far, class 1 so far, pairs in right order
  for (std::size_t begin = 0; begin < order.size();) {
    double zeros = 0, ones = 0;
    std::size_t end = begin;
    for (; end < order.size() && discriminants[order[end]] == discriminants[order[begin]]; ++end) {
      (labels[order[end]] > 0 ? ones : zeros) += 1;
    }
    won += ones * (below + 0.5 * zeros);
    below += zeros;
    above += ones;
    begin = end;
  }
  return below > 0 && above > 0 ? won / (below * above) : kNaN;
}

}  // namespace betatune::engine
