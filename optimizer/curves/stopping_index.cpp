#include "optimizer/curves/stopping_index.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr double kLeastVariance = 1e-24;
constexpr double kHopeless = 7;     ///< deviations above the best, where stopping changes nothing
constexpr int kHalf = 40;           ///< of a value function's nodes, less the middle one
constexpr double kSpacing = 0.125;  ///< of them, in deviations

/// For means over a standard normal. Evenly spaced: what stopping makes of a value has a kink,
/// which Gauss's few nodes may miss.
struct Nodes {
  static constexpr int kSide = 20;
  std::array<double, 2 * kSide + 1> at{}, weight{};

  Nodes() {
    double sum = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
      at[i] = 0.25 * (static_cast<double>(i) - kSide);
      sum += weight[i] = std::exp(-at[i] * at[i] / 2);
    }
    for (double& each : weight) each /= sum;
  }
};

/// The mean of f(z) where a standard deviation of news is to come.
template <class F>
double mean_over_news(double z, double deviation, F&& f) {
  static const Nodes nodes;
  double sum = 0;
  for (std::size_t i = 0; i < nodes.at.size(); ++i) {
    sum += nodes.weight[i] * f(z + deviation * nodes.at[i]);
  }
  return sum;
}

/// What a trial is worth by what it is expected to end in, around a place; in deviations.
class Value {
 public:
  template <class F>
  Value(double centre, F&& f) : first_(centre - kSpacing * kHalf) {
    for (int i = 0; i <= 2 * kHalf; ++i)
      at_[static_cast<std::size_t>(i)] = f(first_ + kSpacing * i);
  }
  double operator()(double z) const {
    const double place = (z - first_) / kSpacing;
    if (place <= 0) return at_.front() + first_ - z;  // far below the best it ends there
    if (place >= 2 * kHalf) return at_.back();
    const auto below = static_cast<std::size_t>(place);
    const double share = place - static_cast<double>(below);
    return (1 - share) * at_[below] + share * at_[below + 1];
  }
  double expected(double z, double deviation) const { return mean_over_news(z, deviation, *this); }

 private:
  double first_;
  std::array<double, 2 * kHalf + 1> at_{};
};

double total_variance(std::span<const Stage> way) {
  double sum = 0;
  for (const Stage& each : way) sum += each.revealed;
  return std::max(sum, kLeastVariance);
}

double expected_improvement(double z, double deviation) {
  if (!(deviation > 0)) return std::max(0.0, -z);
  return deviation * std::exp(log_improvement(-z / deviation).log_h);
}

/// Of going on from z at this price per step, the first stage being paid.
double net(double z, std::span<const Stage> way, double deviation, double price) {
  const auto news = [&](std::size_t k) { return std::sqrt(way[k].revealed) / deviation; };
  std::optional<Value> later;  // of having passed stage k
  const auto going_on = [&](std::size_t k, double at) {
    const double then = later ? later->expected(at, news(k)) : expected_improvement(at, news(k));
    return then - price * way[k].steps;
  };
  if (way.size() == 1) return going_on(0, z);
  for (std::size_t k = way.size(); k-- > 2;) {
    later = Value(z, [&](double at) { return std::max(0.0, going_on(k, at)); });
  }
  return mean_over_news(z, news(0), [&](double at) { return std::max(0.0, going_on(1, at)); }) -
         price * way[0].steps;
}

}  // namespace

double log_improvement_of(double mean, double variance, double best) {
  const double deviation = std::sqrt(std::max(variance, kLeastVariance));
  return log_improvement((best - mean) / deviation).log_h + std::log(deviation);
}

double log_stopping_index_bound(double mean, std::span<const Stage> way, double best) {
  return log_improvement_of(mean, total_variance(way), best) - std::log(way[0].steps);
}

double log_stopping_index(double mean, std::span<const Stage> way, double best) {
  const double deviation = std::sqrt(total_variance(way)), z = (mean - best) / deviation;
  double steps = 0;
  for (const Stage& each : way) steps += each.steps;
  const double log_improvement_at_end = log_improvement(-z).log_h;
  double low = log_improvement_at_end - std::log(steps);
  if (way.size() > 1 && z < kHopeless) {
    const double high = log_improvement_at_end - std::log(way[0].steps);
    low = log_highest_price(low, high,
                            [&](double price) { return net(z, way, deviation, price) > 0; });
  }
  return low + std::log(deviation);
}

double stopping_value(double mean, std::span<const Stage> way, double best, double price) {
  const double deviation = std::sqrt(total_variance(way)), z = (mean - best) / deviation;
  return z < kHopeless ? deviation * std::max(0.0, net(z, way, deviation, price / deviation)) : 0;
}

}  // namespace betatune
