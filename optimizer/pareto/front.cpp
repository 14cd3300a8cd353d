#include "optimizer/pareto/front.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "optimizer/numerics/rows.hpp"

namespace betatune {
namespace {

constexpr double kMargin = 0.1;  ///< of a front's range, beyond its worst value

/// Rows by their first objective, then the second and so on: nobody is dominated by a later one.
std::vector<Eigen::Index> lexicographic(const RowMatrix& points) {
  std::vector<Eigen::Index> order(static_cast<std::size_t>(points.rows()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
    for (Eigen::Index j = 0; j < points.cols(); ++j) {
      if (points(a, j) != points(b, j)) return points(a, j) < points(b, j);
    }
    return false;
  });
  return order;
}

/// Whether any member of a front, in lexicographic order, dominates a row behind all of them.
bool any_dominates(const RowMatrix& points, const std::vector<Eigen::Index>& front,
                   Eigen::Index row) {
  const auto beats = [&](Eigen::Index other) {
    return dominates(points.row(other), points.row(row));
  };
  // With two objectives the second one falls along a front: the last member has the lowest.
  if (points.cols() <= 2) return beats(front.back());
  return std::any_of(front.rbegin(), front.rend(), beats);
}

/// How lonely each member of one front is: the sum over objectives of the distance of its
/// neighbours, in ranges of the front; infinite at the ends.
std::vector<double> crowding(const RowMatrix& points, const std::vector<Eigen::Index>& front) {
  std::vector<double> out(front.size(), 0);
  std::vector<std::size_t> order(front.size());
  for (Eigen::Index j = 0; j < points.cols(); ++j) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto value = [&](std::size_t i) { return points(front[i], j); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return value(a) < value(b); });
    const double range = value(order.back()) - value(order.front());
    if (!(range > 0)) continue;  // of equals none is at an end
    out[order.front()] = out[order.back()] = std::numeric_limits<double>::infinity();
    for (std::size_t i = 1; i + 1 < order.size(); ++i) {
      out[order[i]] += (value(order[i + 1]) - value(order[i - 1])) / range;
    }
  }
  return out;
}

/// Of points that all dominate the reference in the first `m` objectives.
double volume_below(std::vector<Eigen::RowVectorXd> points, const Eigen::VectorXd& reference,
                    Eigen::Index m) {
  if (points.empty()) return 0;
  const Eigen::Index last = m - 1;
  std::sort(points.begin(), points.end(),
            [&](const auto& a, const auto& b) { return a[last] < b[last]; });
  if (m == 1) return reference[0] - points.front()[0];
  double sum = 0;
  std::vector<Eigen::RowVectorXd> slice;
  for (std::size_t i = 0; i < points.size(); ++i) {
    // What is dominated in the other objectives from here on adds nothing to any later slice.
    std::erase_if(slice, [&](const auto& each) {
      return (each.head(last).array() >= points[i].head(last).array()).all();
    });
    slice.push_back(points[i]);
    const double end = i + 1 < points.size() ? points[i + 1][last] : reference[last];
    if (end > points[i][last]) {
      sum += (end - points[i][last]) * volume_below(slice, reference, last);
    }
  }
  return sum;
}

}  // namespace

bool dominates(const Eigen::Ref<const Eigen::RowVectorXd>& a,
               const Eigen::Ref<const Eigen::RowVectorXd>& b) {
  return (a.array() <= b.array()).all() && (a.array() < b.array()).any();
}

std::vector<Eigen::Index> non_dominated(const RowMatrix& points) {
  std::vector<Eigen::Index> out;
  for (const Eigen::Index row : lexicographic(points)) {
    const bool beaten = std::ranges::any_of(out, [&](Eigen::Index other) {
      return (points.row(other).array() <= points.row(row).array()).all();
    });
    if (!beaten) out.push_back(row);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<int> front_ranks(const RowMatrix& points) {
  std::vector<int> ranks(static_cast<std::size_t>(points.rows()), 0);
  std::vector<std::vector<Eigen::Index>> fronts;
  for (const Eigen::Index row : lexicographic(points)) {
    // Whoever dominates it stands before it, and is in a front already. Where one front has such a
    // row, all before it have one.
    const auto first = std::ranges::partition_point(
        fronts, [&](const auto& front) { return any_dominates(points, front, row); });
    ranks[static_cast<std::size_t>(row)] = static_cast<int>(first - fronts.begin());
    if (first == fronts.end()) {
      fronts.push_back({row});
    } else {
      first->push_back(row);
    }
  }
  return ranks;
}

Eigen::VectorXd front_merits(const RowMatrix& points) {
  const std::vector<int> ranks = front_ranks(points);
  std::vector<std::vector<Eigen::Index>> fronts;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    const auto front = static_cast<std::size_t>(ranks[i]);
    if (front >= fronts.size()) fronts.resize(front + 1);
    fronts[front].push_back(static_cast<Eigen::Index>(i));
  }
  Eigen::VectorXd out(points.rows());
  for (std::size_t f = 0; f < fronts.size(); ++f) {
    const std::vector<double> lonely = crowding(points, fronts[f]);
    std::vector<std::size_t> order(fronts[f].size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return lonely[a] > lonely[b]; });
    for (std::size_t place = 0; place < order.size(); ++place) {
      out[fronts[f][order[place]]] =
          static_cast<double>(f) + static_cast<double>(place) / static_cast<double>(order.size());
    }
  }
  return out;
}

double hypervolume(const RowMatrix& points, const Eigen::VectorXd& reference) {
  std::vector<Eigen::RowVectorXd> inside;
  for (const Eigen::Index row : non_dominated(points)) {
    if ((points.row(row).transpose().array() < reference.array()).all()) {
      inside.emplace_back(points.row(row));
    }
  }
  return volume_below(std::move(inside), reference, reference.size());
}

Eigen::VectorXd infer_reference(const RowMatrix& points, const std::vector<Eigen::Index>& front) {
  const RowMatrix best = pick_rows(points, front);
  Eigen::VectorXd out(points.cols());
  for (Eigen::Index j = 0; j < out.size(); ++j) {
    const double worst = best.col(j).maxCoeff();
    double range = worst - best.col(j).minCoeff();
    if (!(range > 0)) range = points.col(j).maxCoeff() - points.col(j).minCoeff();
    out[j] = worst + kMargin * (range > 0 ? range : 1);
  }
  return out;
}

}  // namespace betatune
