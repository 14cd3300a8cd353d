#include "optimizer/tpe/split.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

/// Least weight beside the best result's 1: a kernel's logarithm stays finite.
constexpr double kLightest = 1e-12;

/// Rows with a result; the `count` lowest and one more stand first, in order.
std::vector<Eigen::Index> lowest_first(const Observations& data, std::size_t count) {
  std::vector<Eigen::Index> order;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (!std::isnan(data.merits[i])) order.push_back(i);
  }
  const std::size_t sorted = std::min(count + 1, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(sorted), order.end(),
                    [&](Eigen::Index a, Eigen::Index b) {
                      return std::pair(data.merits[a], a) < std::pair(data.merits[b], b);
                    });
  return order;
}

}  // namespace

Split split(const Observations& data, double gamma, std::size_t most) {
  const auto wanted = static_cast<std::size_t>(std::ceil(gamma * static_cast<double>(data.size())));
  const std::size_t limit = std::min(wanted, most);
  const std::vector<Eigen::Index> order = lowest_first(data, limit);
  const std::size_t count = std::min(limit, order.size());
  Split out;
  if (count > 0) {
    // Halves, so that the difference of two huge losses is finite.
    const double border = 0.5 * data.merits[order[std::min(count, order.size() - 1)]];
    const double highest = border - 0.5 * data.merits[order[0]];
    for (std::size_t k = 0; k < count; ++k) {
      const double gain = border - 0.5 * data.merits[order[k]];
      out.better.push_back({order[k], highest > 0 ? std::max(gain / highest, kLightest) : 1});
    }
  }
  std::sort(out.better.begin(), out.better.end(),
            [](const auto& a, const auto& b) { return a.row < b.row; });
  auto next = out.better.begin();
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (next != out.better.end() && next->row == i) {
      ++next;
    } else {
      out.worse.push_back(i);
    }
  }
  return out;
}

}  // namespace betatune
