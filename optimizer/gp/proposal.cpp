#include "optimizer/gp/proposal.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optimizer/numerics/box_lbfgs.hpp"
#include "optimizer/numerics/sobol.hpp"

namespace betatune {
namespace {

/// Grids with more levels are searched as if continuous, then put on the grid.
constexpr std::size_t kFineGrid = 16;
/// Choices that are tried from each point, at most.
constexpr std::size_t kChoices = 24;
/// n^2 m of the exact comparison of raw points; beyond it the bound decides which are compared.
constexpr double kExactWork = 40e6;
constexpr Eigen::Index kExactLeast = 96;
constexpr int kRounds = 3;   ///< of gradient, then neighbours
constexpr int kSweeps = 10;  ///< moves to a neighbour within a round
constexpr int kBisections = 12;
constexpr int kLookedAt = 400;  ///< raw points that are asked for if no candidate is acceptable

std::size_t index(Eigen::Index i) {
  return static_cast<std::size_t>(i);
}
Eigen::Index index(std::size_t i) {
  return static_cast<Eigen::Index>(i);
}

std::vector<Eigen::Index> descending(const Eigen::VectorXd& scores) {
  std::vector<Eigen::Index> order(index(scores.size()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](Eigen::Index a, Eigen::Index b) { return scores[a] > scores[b]; });
  return order;
}

RowMatrix stack(const std::vector<Eigen::VectorXd>& rows, Eigen::Index columns) {
  RowMatrix out(std::ssize(rows), columns);
  for (Eigen::Index i = 0; i < out.rows(); ++i) out.row(i) = rows[index(i)].transpose();
  return out;
}

bool same(double a, double b) {
  return a == b || (is_inactive(a) && is_inactive(b));
}

}  // namespace

Proposer::Proposer(const SearchSpace& space, const GaussianProcess& gp,
                   const Acquisition& acquisition, RowMatrix incumbents, ProposalOptions options)
    : space_(space),
      gp_(gp),
      acquisition_(acquisition),
      incumbents_(std::move(incumbents)),
      options_(options) {
  for (std::size_t j = 0; j < space.columns().size(); ++j) {
    (is_smooth(j) ? any_smooth_ : any_discrete_) = true;
  }
}

bool Proposer::is_smooth(std::size_t column) const {
  const Column& it = space_.columns()[column];
  return it.kind == Column::Kind::continuous ||
         (it.kind == Column::Kind::grid && it.levels > kFineGrid);
}

RowMatrix Proposer::raw(Key key) const {
  const Eigen::Index dims = space_.dims();
  RowMatrix out(options_.raw_points + (incumbents_.rows() > 0 ? options_.neighbours : 0), dims);
  const Sobol sobol(space_.dims(), fold_in(key, "sobol"));
  for (Eigen::Index i = 0; i < options_.raw_points; ++i) {
    out.row(i) = space_.canonical(sobol.point(static_cast<std::uint64_t>(i))).transpose();
  }
  Stream stream(fold_in(key, "near"));
  for (Eigen::Index i = options_.raw_points; i < out.rows(); ++i) {
    Eigen::VectorXd point = incumbents_.row(i % incumbents_.rows()).transpose();
    // From a hundredth of the range to a fifth; some coordinates stay as they are.
    const double spread = 0.01 * std::pow(20.0, stream.uniform());
    const double share = std::max(stream.uniform(), 1.0 / static_cast<double>(dims));
    for (Eigen::Index j = 0; j < dims; ++j) {
      const bool moves = stream.uniform() < share;
      const double shift = spread * stream.normal();
      const double other = stream.uniform();
      if (!moves) continue;
      const bool number = space_.columns()[index(j)].kind != Column::Kind::categorical;
      point[j] = number && !is_inactive(point[j]) ? std::clamp(point[j] + shift, 0.0, 1.0) : other;
    }
    out.row(i) = space_.canonical(point).transpose();
  }
  return out;
}

Eigen::VectorXd Proposer::score(const RowMatrix& points) const {
  const double n = static_cast<double>(gp_.size());
  const auto affordable = static_cast<Eigen::Index>(kExactWork / (n * n + 1));
  const Eigen::Index exact = std::max(kExactLeast, affordable);
  if (exact >= points.rows()) return acquisition_.value(points, nullptr);
  // The bound is never below the exact value, so what is not compared exactly is put after.
  Eigen::VectorXd scores = acquisition_.bound(points);
  const std::vector<Eigen::Index> order = descending(scores);
  RowMatrix chosen(exact, points.cols());
  for (Eigen::Index i = 0; i < exact; ++i) chosen.row(i) = points.row(order[index(i)]);
  const Eigen::VectorXd values = acquisition_.value(chosen, nullptr);
  const double below = values.minCoeff() - std::max(0.0, scores.maxCoeff() - values.minCoeff());
  scores.array() += below - scores.maxCoeff();
  for (Eigen::Index i = 0; i < exact; ++i) scores[order[index(i)]] = values[i];
  return scores;
}

std::vector<Proposer::Candidate> Proposer::choose_starts(
    const RowMatrix& points, const Eigen::VectorXd& scores,
    const std::vector<Eigen::Index>& order) const {
  std::vector<Candidate> out;
  const RowMatrix features = gp_.map().map(points);
  const Eigen::VectorXd weights =
      gp_.hyperparameters().lengthscales.array().square().inverse().matrix();
  constexpr double kApart = 0.01;  // squared, in length-scales
  std::vector<Eigen::Index> chosen;
  for (std::size_t i = 0; i < order.size() && i < kLookedAt; ++i) {
    if (std::ssize(out) >= options_.starts) break;
    const Eigen::Index row = order[i];
    const bool apart = std::ranges::all_of(chosen, [&](Eigen::Index other) {
      double distance = 0;
      const RowMatrix one = features.col(other);
      gp_.map().add_distances(weights, features.col(row), one, 1, &distance);
      return distance > kApart;
    });
    if (!apart || !space_.feasible(points.row(row).transpose())) continue;
    chosen.push_back(row);
    out.push_back({points.row(row).transpose(), scores[row]});
  }
  return out;
}

void Proposer::follow_gradients(std::vector<Candidate>& candidates) const {
  if (!any_smooth_ || candidates.empty()) return;
  const Eigen::Index dims = space_.dims();
  BoxLbfgsOptions options;
  options.iterations_max = 30;
  options.evaluations_max = 40;
  options.gradient_tolerance = 1e-4;
  options.value_tolerance = 1e-4;
  options.first_step = 0.1;
  std::vector<BoxLbfgs> runs;
  for (const Candidate& each : candidates) {
    Eigen::VectorXd start = each.point, lower = each.point, upper = each.point;
    for (Eigen::Index j = 0; j < dims; ++j) {
      if (is_inactive(start[j])) start[j] = lower[j] = upper[j] = 0;
      if (!is_smooth(index(j)) || is_inactive(each.point[j])) continue;
      lower[j] = 0;
      upper[j] = 1;
    }
    runs.emplace_back(start, lower, upper, options);
  }
  const auto with_activity = [&](const Eigen::VectorXd& x, const Candidate& candidate) {
    Eigen::VectorXd out = x;
    for (Eigen::Index j = 0; j < dims; ++j) {
      if (is_inactive(candidate.point[j])) out[j] = candidate.point[j];
    }
    return out;
  };
  for (;;) {
    std::vector<std::size_t> alive;
    std::vector<Eigen::VectorXd> wanted;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (runs[i].done()) continue;
      alive.push_back(i);
      wanted.push_back(with_activity(runs[i].wanted(), candidates[i]));
    }
    if (alive.empty()) break;
    RowMatrix gradient;
    const Eigen::VectorXd values = acquisition_.value(stack(wanted, dims), &gradient);
    for (std::size_t i = 0; i < alive.size(); ++i) {
      runs[alive[i]].tell(-values[index(i)], -gradient.row(index(i)).transpose());
    }
  }
  std::vector<Eigen::VectorXd> ends;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Eigen::VectorXd end = space_.canonical(with_activity(runs[i].best(), candidates[i]));
    ends.push_back(space_.feasible(end) ? end : back_to_feasible(candidates[i].point, end));
  }
  const Eigen::VectorXd values = acquisition_.value(stack(ends, dims), nullptr);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (values[index(i)] > candidates[i].value) candidates[i] = {ends[i], values[index(i)]};
  }
}

Eigen::VectorXd Proposer::back_to_feasible(const Eigen::VectorXd& from,
                                           const Eigen::VectorXd& to) const {
  Eigen::VectorXd inside = from;
  double low = 0, high = 1;
  for (int i = 0; i < kBisections; ++i) {
    const double middle = 0.5 * (low + high);
    Eigen::VectorXd point = from;
    for (Eigen::Index j = 0; j < point.size(); ++j) {
      if (!same(from[j], to[j])) point[j] = from[j] + middle * (to[j] - from[j]);
    }
    point = space_.canonical(point);
    if (space_.feasible(point)) {
      inside = point;
      low = middle;
    } else {
      high = middle;
    }
  }
  return inside;
}

std::vector<Eigen::VectorXd> Proposer::neighbours_of(const Eigen::VectorXd& point) const {
  std::vector<Eigen::VectorXd> out;
  for (std::size_t j = 0; j < space_.columns().size(); ++j) {
    const Column& column = space_.columns()[j];
    const double here = point[index(j)];
    if (column.kind == Column::Kind::continuous || is_inactive(here)) continue;
    const auto levels = static_cast<std::int64_t>(column.levels);
    const auto level = static_cast<std::int64_t>(here * static_cast<double>(levels));
    const bool words = column.kind == Column::Kind::categorical;
    std::vector<std::int64_t> steps = {-1, 1};
    if (levels > 8) steps.insert(steps.end(), {-2, 2});
    if (words) {
      steps.clear();
      for (std::int64_t k = 1; k < std::min<std::int64_t>(levels, kChoices); ++k)
        steps.push_back(k);
    }
    for (const std::int64_t step : steps) {
      const std::int64_t next = words ? (level + step) % levels : level + step;
      if (next < 0 || next >= levels) continue;
      Eigen::VectorXd neighbour = point;
      neighbour[index(j)] = (static_cast<double>(next) + 0.5) / static_cast<double>(levels);
      out.push_back(space_.canonical(neighbour));
    }
  }
  return out;
}

bool Proposer::move_to_neighbours(std::vector<Candidate>& candidates) const {
  bool any = false;
  std::vector<bool> settled(candidates.size(), false);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    std::vector<Eigen::VectorXd> all;
    std::vector<std::size_t> owner;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (settled[i]) continue;
      for (Eigen::VectorXd& each : neighbours_of(candidates[i].point)) {
        all.push_back(std::move(each));
        owner.push_back(i);
      }
    }
    if (all.empty()) break;
    const Eigen::VectorXd values = acquisition_.value(stack(all, space_.dims()), nullptr);
    settled.assign(candidates.size(), true);
    for (const Eigen::Index i : descending(values)) {
      Candidate& candidate = candidates[owner[index(i)]];
      const bool better = values[i] > candidate.value + 1e-9;
      if (!settled[owner[index(i)]] || !better || !space_.feasible(all[index(i)])) continue;
      candidate = {all[index(i)], values[i]};
      settled[owner[index(i)]] = false;
      any = true;
    }
  }
  return any;
}

std::optional<Proposer::Found> Proposer::propose(
    Key key, const std::function<bool(const Configuration&)>& acceptable) const {
  const RowMatrix points = raw(key);
  const Eigen::VectorXd scores = score(points);
  const std::vector<Eigen::Index> order = descending(scores);
  std::vector<Candidate> candidates = choose_starts(points, scores, order);
  for (int round = 0; round < kRounds; ++round) {
    follow_gradients(candidates);
    if (!any_discrete_ || !move_to_neighbours(candidates)) break;
  }
  // The best may have been tried: then a point that was not improved may be better than the next
  // that was.
  for (std::size_t i = 0; i < order.size() && i < kLookedAt; ++i) {
    candidates.push_back({points.row(order[i]).transpose(), scores[order[i]]});
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.value > b.value; });
  for (const Candidate& each : candidates) {
    Configuration configuration = space_.decode(each.point);
    if (space_.satisfies_constraints(configuration) && acceptable(configuration)) {
      Eigen::VectorXd point = space_.encode(configuration);
      return Found{std::move(configuration), std::move(point), each.value};
    }
  }
  return std::nullopt;
}

}  // namespace betatune
