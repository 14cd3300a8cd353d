#include "optimizer/curves/stopping_index.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr double kLeastVariance = 1e-24;
constexpr double kHopeless = 7;     ///< deviations above the best, where stopping changes nothing
constexpr int kHalvings = 10;       ///< of the bracket, which spans at most the ratio of the steps
constexpr int kNodes = 81;          ///< of a value function
constexpr double kSpacing = 0.125;  ///< of them, in deviations

/// The positive half of Gauss and Hermite's twelve, for the mean over a standard normal.
struct Node {
  double at, weight;
};
constexpr std::array kQuadrature = {
    Node{0.444403001944139, 0.32166436151283},    Node{1.34037519715162, 0.14696704804533},
    Node{2.2594644510008, 0.0291166879123642},    Node{3.2237098287701, 0.0022033806875332},
    Node{4.27182584793228, 4.83718492259064e-05}, Node{5.50090170446775, 1.49992716763716e-07}};

/// What a trial is worth by what it is expected to end in, around a place; in deviations.
class Value {
 public:
  template <class F>
  Value(double centre, F&& f) : first_(centre - kSpacing * (kNodes / 2)) {
    for (int i = 0; i < kNodes; ++i) at_[static_cast<std::size_t>(i)] = f(first_ + kSpacing * i);
  }
  double operator()(double z) const {
    const double place = (z - first_) / kSpacing;
    if (place <= 0) return at_.front() + first_ - z;  // far below the best it ends there
    if (place >= kNodes - 1) return at_.back();
    const auto below = static_cast<std::size_t>(place);
    const double share = place - static_cast<double>(below);
    return (1 - share) * at_[below] + share * at_[below + 1];
  }
  /// Expected where a standard deviation of news is to come.
  double expected(double z, double deviation) const {
    double sum = 0;
    for (const Node& each : kQuadrature) {
      const double news = deviation * each.at;
      sum += each.weight * ((*this)(z + news) + (*this)(z - news));
    }
    return sum;
  }

 private:
  double first_;
  std::array<double, kNodes> at_{};
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
  const auto news = [&](const Stage& stage) { return std::sqrt(stage.revealed) / deviation; };
  const auto last = [&](double at) {
    return expected_improvement(at, news(way.back())) - price * way.back().steps;
  };
  if (way.size() == 1) return last(z);
  Value later(z, [&](double at) { return std::max(0.0, last(at)); });
  for (std::size_t k = way.size() - 1; k-- > 1;) {
    later = Value(z, [&](double at) {
      return std::max(0.0, later.expected(at, news(way[k])) - price * way[k].steps);
    });
  }
  return later.expected(z, news(way[0])) - price * way[0].steps;
}

}  // namespace

double log_stopping_index_bound(double mean, std::span<const Stage> way, double best) {
  const double deviation = std::sqrt(total_variance(way));
  return log_improvement((best - mean) / deviation).log_h + std::log(deviation) -
         std::log(way[0].steps);
}

double log_stopping_index(double mean, std::span<const Stage> way, double best) {
  const double deviation = std::sqrt(total_variance(way)), z = (mean - best) / deviation;
  double steps = 0;
  for (const Stage& each : way) steps += each.steps;
  const double log_improvement_at_end = log_improvement(-z).log_h;
  double low = log_improvement_at_end - std::log(steps);
  if (way.size() > 1 && z < kHopeless) {
    double high = log_improvement_at_end - std::log(way[0].steps);
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = (low + high) / 2;
      (net(z, way, deviation, std::exp(middle)) > 0 ? low : high) = middle;
    }
  }
  return low + std::log(deviation);
}

double stopping_value(double mean, std::span<const Stage> way, double best, double price) {
  const double deviation = std::sqrt(total_variance(way)), z = (mean - best) / deviation;
  return z < kHopeless ? deviation * std::max(0.0, net(z, way, deviation, price / deviation)) : 0;
}

}  // namespace betatune
