/// Draws of hyper-parameters: from their posterior, within bounds, the same again under the same
/// key.

#include "optimizer/gp/hyperparameter_draw.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>

namespace betatune {
namespace {

/// Of the logarithms of the length-scale, the noise and the amplitude of one column.
using Moments = std::array<Eigen::Vector3d, 2>;  // mean, deviation

struct Data {
  std::vector<Column> columns = std::vector<Column>(1);
  FeatureMap map{columns};
  RowMatrix features;
  Eigen::VectorXd y;

  Data() : features(1, 5), y(5) {
    features << 0.05, 0.3, 0.45, 0.7, 0.95;
    y << 0.9, 0.1, -0.6, -0.9, 0.5;
  }
  Training training() const { return {map, features}; }
};

/// By sums over a grid within the bounds of a fit.
Moments integrated(const Data& data) {
  const auto [lower, upper] = hyperparameter_bounds(1);
  constexpr int kCells = 48;
  std::vector<double> logs;
  std::vector<Eigen::Vector3d> points;
  const Eigen::Vector3d cell = (upper - lower) / kCells;
  for (int i = 0; i < kCells * kCells * kCells; ++i) {
    const Eigen::Vector3d index(i % kCells, i / kCells % kCells, i / kCells / kCells);
    const Eigen::VectorXd at = lower + cell.cwiseProduct((index.array() + 0.5).matrix());
    const auto here = Hyperparameters::from_logs(at);
    points.emplace_back(at);
    logs.push_back(log_marginal_likelihood(data.training(), data.y, here, nullptr) +
                   log_prior(here, nullptr) + at.sum());
  }
  const double most = *std::ranges::max_element(logs);
  double total = 0;
  Eigen::Vector3d first = Eigen::Vector3d::Zero(), second = Eigen::Vector3d::Zero();
  for (std::size_t i = 0; i < logs.size(); ++i) {
    const double weight = std::exp(logs[i] - most);
    total += weight;
    first += weight * points[i];
    second += weight * points[i].cwiseAbs2();
  }
  first /= total;
  return {first, (second / total - first.cwiseAbs2()).cwiseSqrt()};
}

TEST(HyperparameterDraw, ChainsOfDrawsHaveThePosteriorsMoments) {
  const Data data;
  const auto [mean, deviation] = integrated(data);
  Hyperparameters at = Hyperparameters::prior_mode(1);
  constexpr int kDraws = 20000;
  Eigen::Vector3d first = Eigen::Vector3d::Zero(), second = Eigen::Vector3d::Zero();
  for (int i = 0; i < kDraws; ++i) {
    at = draw_hyperparameters(data.training(), data.y, at,
                              fold_in(root_key(7), static_cast<std::uint64_t>(i)));
    const Eigen::Vector3d logs = at.to_logs();
    first += logs / kDraws;
    second += logs.cwiseAbs2() / kDraws;
  }
  const Eigen::Vector3d drawn_deviation = (second - first.cwiseAbs2()).cwiseSqrt();
  for (int j = 0; j < 3; ++j) {
    EXPECT_NEAR(first[j], mean[j], 0.05 * deviation[j]) << j;
    EXPECT_NEAR(drawn_deviation[j] / deviation[j], 1, 0.05) << j;
  }
}

TEST(HyperparameterDraw, IsWithinTheBoundsAndTheSameUnderTheSameKey) {
  const Data data;
  const auto mode = fit_hyperparameters(data.training(), data.y).at;
  const auto [lower, upper] = hyperparameter_bounds(1);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto draw = [&](std::uint64_t n) -> Eigen::VectorXd {
      return draw_hyperparameters(data.training(), data.y, mode, root_key(n)).to_logs();
    };
    const Eigen::VectorXd logs = draw(seed);
    EXPECT_TRUE((logs.array() >= lower.array() - 1e-9).all()) << seed;
    EXPECT_TRUE((logs.array() <= upper.array() + 1e-9).all()) << seed;
    EXPECT_EQ(logs, draw(seed));
    EXPECT_NE(logs, draw(seed + 1000));
  }
}

}  // namespace
}  // namespace betatune
