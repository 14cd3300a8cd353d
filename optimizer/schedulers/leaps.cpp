#include "optimizer/schedulers/leaps.hpp"

#include <algorithm>
#include <cmath>

#include "optimizer/numerics/rows.hpp"

namespace betatune {
namespace {

/// Distance from which on a trial is unlike another one: a local search makes many that are not.
constexpr double kUnlike = 0.1;

/// Whether going to the end from there is no ordinary promotion.
bool is_far_below(const Ladder& ladder, int rung) {
  return rung >= 0 && rung + 2 < static_cast<int>(ladder.size());
}

}  // namespace

void Leaps::observe(const AttemptStarted& started, const Ladder& ladder) {
  const auto steps = static_cast<double>(started.until - (resumable_ ? started.from : 0));
  trained_ += steps;
  const bool to_the_end = static_cast<double>(started.until) >= top_;
  if (to_the_end && is_far_below(ladder, ladder.rung_of(started.trial))) leapt_ += steps;
}

std::vector<TrialId> Leaps::candidates(const StudyState& state, const Ladder& ladder) {
  std::vector<TrialId> out;
  for (int rung = 0; is_far_below(ladder, rung); ++rung) {
    const Rung& here = ladder.rung(static_cast<std::size_t>(rung));
    for (const TrialId id : here.best((here.size() + 1) / 2)) {
      const Trial& trial = state.trials[id];
      const bool stands_here = trial.state == TrialState::paused && ladder.rung_of(id) == rung;
      if (stands_here && trial.violation == 0) out.push_back(id);
    }
  }
  std::ranges::sort(out);
  return out;
}

std::optional<Leap> Leaps::choose(const StudyState& state, const std::vector<TrialId>& candidates,
                                  const FeatureMap& map, const CurveTable& table) const {
  std::vector<Eigen::Index> ends, rows;
  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    const TrialId id{table.trials[static_cast<std::size_t>(i)]};
    if (static_cast<double>(state.trials[id].until) >= top_) ends.push_back(i);
    if (std::ranges::binary_search(candidates, id)) rows.push_back(i);
  }
  if (ends.empty()) return std::nullopt;
  const RowMatrix known = map.map(pick_rows(table.points, ends));
  const RowMatrix features = map.map(pick_rows(table.points, rows));
  const Eigen::VectorXd weights = Eigen::VectorXd::Ones(map.columns());
  std::optional<Leap> out;
  double farthest = kUnlike * kUnlike;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Eigen::VectorXd squares = Eigen::VectorXd::Zero(known.cols());
    map.add_distances(weights, features.col(static_cast<Eigen::Index>(i)), known, known.cols(),
                      squares.data());
    const double nearest = squares.minCoeff();
    if (nearest <= farthest) continue;
    farthest = nearest;
    out = Leap{TrialId{table.trials[static_cast<std::size_t>(rows[i])]}, std::sqrt(nearest)};
  }
  return out;
}

}  // namespace betatune
