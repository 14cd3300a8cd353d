#include "optimizer/local/near_pairs.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

namespace betatune {
namespace {

constexpr double kInPlace = 0.004, kNear = 0.05;
constexpr Eigen::Index kLatest = 200;
constexpr std::size_t kClose = 8, kFar = 16;
constexpr double kApart = 3;  ///< far pairs, in distances of the close ones
constexpr double kMedianToDeviation = 1.4826;

struct Pair {
  double square;      ///< mean square distance
  double difference;  ///< of the losses
};

/// Mean square distance over the columns; nothing if a choice or an activity differs. Levels of a
/// grid lie far apart, so the distance tells those.
std::optional<double> mean_square(const RowMatrix& points, Eigen::Index a, Eigen::Index b) {
  double sum = 0;
  for (Eigen::Index j = 0; j < points.cols(); ++j) {
    const double x = points(a, j), y = points(b, j);
    if (is_inactive(x) != is_inactive(y)) return std::nullopt;
    if (!is_inactive(x)) sum += (x - y) * (x - y);
  }
  return sum / static_cast<double>(std::max<Eigen::Index>(1, points.cols()));
}

std::vector<Pair> pairs_by_distance(const Observations& data) {
  std::vector<Pair> out;
  const Eigen::Index first = std::max<Eigen::Index>(0, data.size() - kLatest);
  for (Eigen::Index i = first; i < data.size(); ++i) {
    for (Eigen::Index j = first; j < i; ++j) {
      if (std::isnan(data.losses[i]) || std::isnan(data.losses[j])) continue;
      const std::optional<double> square = mean_square(data.points, i, j);
      if (!square || *square > kNear * kNear) continue;
      out.push_back({*square, std::abs(data.losses[i] - data.losses[j])});
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Pair& a, const Pair& b) { return a.square < b.square; });
  return out;
}

/// Of pairs sorted by distance: their middle one's distance, and the variance of a difference as
/// the median tells it.
Pair typical(std::span<const Pair> pairs) {
  std::vector<double> differences;
  for (const Pair& each : pairs) differences.push_back(each.difference);
  const auto middle = differences.begin() + std::ssize(differences) / 2;
  std::nth_element(differences.begin(), middle, differences.end());
  const double deviation = kMedianToDeviation * *middle;
  return {pairs[pairs.size() / 2].square, deviation * deviation};
}

}  // namespace

double noise_of_near_pairs(const Observations& data) {
  const std::vector<Pair> pairs = pairs_by_distance(data);
  if (pairs.size() < 2 * kClose) return 0;
  const Pair close = typical(std::span(pairs).first(kClose));
  if (close.square > kInPlace * kInPlace) return 0;
  const auto far_begin = std::partition_point(pairs.begin(), pairs.end(), [&](const Pair& each) {
    return each.square < kApart * kApart * close.square;
  });
  const auto rest = std::span(far_begin, pairs.end());
  if (rest.size() < kClose) return 0;
  const Pair far = typical(rest.first(std::min(kFar, rest.size())));
  // Both variances are 2 noise^2 + slope^2 distance^2.
  const double shrink = close.square / far.square;
  const double twice = (close.difference - shrink * far.difference) / (1 - shrink);
  return std::sqrt(std::max(0.0, 0.5 * twice));
}

}  // namespace betatune
