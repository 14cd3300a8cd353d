#include "optimizer/curves/prospects.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace betatune {
namespace {

constexpr Eigen::Index kLately = 20;  ///< trials
constexpr Eigen::Index kDraws = 128, kNeighbours = 64;
constexpr Eigen::Index kParents = 4;  ///< trials whose neighbours are looked at
constexpr double kNothing = -std::numeric_limits<double>::infinity();

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

/// By how much each step of the latest trials has lowered the lowest mean.
double lately_gained(const CurveTable& table, const Eigen::VectorXd& means) {
  const Eigen::Index late = std::min(kLately, means.size() - 1);
  if (late == 0) return 0;
  double steps = 0;
  for (Eigen::Index i = means.size() - late; i < means.size(); ++i) {
    steps += static_cast<double>(table.levels[static_cast<std::size_t>(table.top_of(i))]);
  }
  const double before = means.head(means.size() - late).minCoeff();
  return std::max(0.0, before - means.minCoeff()) / steps;
}

/// From the level `from` on.
std::vector<Stage> way_from(Eigen::Index from, const CurveBeliefs& beliefs, Eigen::Index row,
                            const std::vector<double>& steps) {
  std::vector<Stage> out;
  for (auto level = from; level < beliefs.revealed.cols(); ++level) {
    out.push_back({beliefs.revealed(row, level), steps[static_cast<std::size_t>(level)]});
  }
  return out;
}

/// Of the best of some configurations.
double log_worth_of_draws(const SearchSpace& space, const CurveModel& model,
                          const CurveTable& table, const CurveBeliefs& rows,
                          const std::vector<double>& steps, Key key) {
  const RowMatrix points = draw_points(space, table, rows.mean, key);
  const CurveBeliefs at = model.of_new(points);
  const double lowest = rows.mean.minCoeff();
  std::vector<std::pair<double, Eigen::Index>> bounds;
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    bounds.emplace_back(log_stopping_index_bound(at.mean[i], way_from(0, at, i, steps), lowest), i);
  }
  std::ranges::sort(bounds, std::greater<>{});
  double most = kNothing;
  for (const auto& [bound, i] : bounds) {
    if (bound <= most) break;
    most = std::max(most, log_stopping_index(at.mean[i], way_from(0, at, i, steps), lowest));
  }
  return most;
}

/// If it turned out, at its first level, as the latest ones did.
double log_worth_of_latest(const CurveModel& model, const CurveTable& table,
                           const std::vector<double>& steps, double best) {
  std::vector<Eigen::Index> latest;
  for (Eigen::Index i = table.rows(); i-- > 0 && std::ssize(latest) < kLately;) {
    if (!std::isnan(table.losses(i, 0))) latest.push_back(i);
  }
  if (latest.empty() || table.levels.size() < 2) return kNothing;
  const CurveBeliefs at = model.from_first(latest);
  double improvement = 0;  // of all of them, were each trained to the end
  for (Eigen::Index i = 0; i < at.mean.size(); ++i) {
    improvement += std::exp(log_improvement_of(at.mean[i], at.variance[i], best));
  }
  if (!(improvement > 0)) return kNothing;
  const auto number = static_cast<double>(latest.size());
  const auto pays = [&](double price) {
    double value = 0;
    for (Eigen::Index i = 0; i < at.mean.size(); ++i) {
      value += stopping_value(at.mean[i], way_from(1, at, i, steps), best, price);
    }
    return value > number * price * steps[0];
  };
  const double all_steps = std::accumulate(steps.begin(), steps.end(), 0.0);
  return log_highest_price(std::log(improvement / number / all_steps),
                           std::log(improvement / number / steps[0]), pays);
}

}  // namespace

std::vector<double> steps_to_levels(const CurveTable& table, bool resumable) {
  std::vector<double> out;
  for (std::size_t k = 0; k < table.levels.size(); ++k) {
    const Step from = resumable && k > 0 ? table.levels[k - 1] : 0;
    out.push_back(static_cast<double>(table.levels[k] - from));
  }
  return out;
}

std::vector<Stage> way_of_row(const CurveTable& table, const CurveBeliefs& rows, Eigen::Index row,
                              const std::vector<double>& steps) {
  return way_from(table.top_of(row) + 1, rows, row, steps);
}

double log_worth_of_new(const SearchSpace& space, const CurveModel& model, const CurveTable& table,
                        const CurveBeliefs& rows, const std::vector<double>& steps, double best,
                        Key key) {
  const double gained = lately_gained(table, rows.mean);
  const double found = log_worth_of_latest(model, table, steps, best);
  const double promised = log_worth_of_draws(space, model, table, rows, steps, key);
  const double both = std::isfinite(found) ? (found + promised) / 2 : promised;
  return gained > 0 ? std::max(both, std::log(gained)) : both;
}

}  // namespace betatune
