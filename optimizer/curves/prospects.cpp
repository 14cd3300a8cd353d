#include "optimizer/curves/prospects.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "optimizer/numerics/normal.hpp"

namespace betatune {
namespace {

constexpr Eigen::Index kDraws = 128, kNeighbours = 64;
constexpr Eigen::Index kParents = 4;  ///< trials whose neighbours are looked at
constexpr Eigen::Index kLately = 20;  ///< trials
constexpr double kLeastVariance = 1e-24;

/// A step of a random length, from a hundredth to a third of the cube, from one of the best.
Eigen::VectorXd neighbour(const SearchSpace& space, Eigen::VectorXd point, Stream& stream) {
  const double radius = std::pow(10.0, -0.5 - 1.5 * stream.uniform());
  for (Eigen::Index j = 0; j < point.size(); ++j) {
    const bool is_choice =
        space.columns()[static_cast<std::size_t>(j)].kind == Column::Kind::categorical;
    const double step = radius * stream.normal();
    if (!is_choice) point[j] = std::clamp(point[j] + step, 0.0, 1.0);  // NaN stays NaN
  }
  return space.canonical(point);
}

RowMatrix draw_points(const SearchSpace& space, const CurveTable& table,
                      const Eigen::VectorXd& means, Key key) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(table.rows()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  const Eigen::Index parents = std::min(kParents, table.rows());
  std::partial_sort(order.begin(), order.begin() + parents, order.end(),
                    [&](Eigen::Index a, Eigen::Index b) {
                      return std::pair(means[a], a) < std::pair(means[b], b);
                    });
  RowMatrix points(kDraws + kNeighbours, space.dims());
  for (Eigen::Index i = 0; i < kDraws; ++i) {
    points.row(i) = space.sample_point(fold_in(key, static_cast<std::uint64_t>(i)));
  }
  Stream stream(fold_in(key, "neighbours"));
  for (Eigen::Index i = 0; i < kNeighbours; ++i) {
    const Eigen::VectorXd parent = table.points.row(order[static_cast<std::size_t>(i % parents)]);
    points.row(kDraws + i) = neighbour(space, parent, stream);
  }
  return points;
}

/// By how much each of the latest trials has lowered the lowest mean, on average.
double lately_gained(const Eigen::VectorXd& means) {
  const Eigen::Index late = std::min(kLately, means.size() - 1);
  if (late == 0) return 0;
  const double before = means.head(means.size() - late).minCoeff();
  return std::max(0.0, before - means.minCoeff()) / static_cast<double>(late);
}

}  // namespace

double log_improvement_of(double mean, double variance, double best) {
  const double deviation = std::sqrt(std::max(variance, kLeastVariance));
  return log_improvement((best - mean) / deviation).log_h + std::log(deviation);
}

double log_prospect_of_new(const SearchSpace& space, const CurveModel& model,
                           const CurveTable& table, const CurveBeliefs& rows, Key key) {
  const RowMatrix points = draw_points(space, table, rows.mean, key);
  const CurveBeliefs at = model.of_new(points);
  const double lowest = rows.mean.minCoeff();
  double most = -std::numeric_limits<double>::infinity();
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    most = std::max(most, log_improvement_of(at.mean[i], at.variance[i], lowest));
  }
  const double gained = lately_gained(rows.mean);
  return gained > 0 ? std::max(most, std::log(gained)) : most;
}

}  // namespace betatune
