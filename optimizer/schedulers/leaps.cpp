#include "optimizer/schedulers/leaps.hpp"

#include <cmath>
#include <vector>

#include "optimizer/numerics/rows.hpp"

namespace betatune {
namespace {

/// Distance from which on a trial is unlike another one: a local search makes many that are not.
constexpr double kUnlike = 0.1;

/// Rungs between a trial and the end, from which on going there is no ordinary promotion.
bool is_far_below(const Ladder& ladder, int rung) {
  return rung >= 0 && rung + 2 < static_cast<int>(ladder.size());
}

bool is_candidate(const Trial& trial, const Ladder& ladder) {
  if (trial.state != TrialState::paused || trial.violation != 0) return false;
  if (!is_far_below(ladder, ladder.rung_of(trial.id))) return false;
  const std::optional<RungStanding> standing = ladder.standing(trial.id);
  return standing && 2 * standing->at.place <= standing->at.results + 1;
}

}  // namespace

void Leaps::observe(const AttemptStarted& started, const Ladder& ladder) {
  const auto steps = static_cast<double>(started.until - (resumable_ ? started.from : 0));
  trained_ += steps;
  const bool to_the_end = static_cast<double>(started.until) >= top_;
  if (to_the_end && is_far_below(ladder, ladder.rung_of(started.trial))) leapt_ += steps;
}

std::optional<Leap> Leaps::choose(const StudyState& state, const Ladder& ladder,
                                  const FeatureMap& map, const CurveTable& table) const {
  std::vector<Eigen::Index> ends, candidates;
  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    const Trial& trial = state.trials[TrialId{table.trials[static_cast<std::size_t>(i)]}];
    if (static_cast<double>(trial.until) >= top_) ends.push_back(i);
    if (is_candidate(trial, ladder)) candidates.push_back(i);
  }
  if (ends.empty() || candidates.empty()) return std::nullopt;
  const RowMatrix known = map.map(pick_rows(table.points, ends));
  const RowMatrix features = map.map(pick_rows(table.points, candidates));
  const Eigen::VectorXd weights = Eigen::VectorXd::Ones(map.columns());
  std::optional<Leap> out;
  double farthest = kUnlike * kUnlike;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Eigen::VectorXd squares = Eigen::VectorXd::Zero(known.cols());
    map.add_distances(weights, features.col(static_cast<Eigen::Index>(i)), known, known.cols(),
                      squares.data());
    const double nearest = squares.minCoeff();
    if (nearest <= farthest) continue;
    farthest = nearest;
    const std::size_t row = static_cast<std::size_t>(candidates[i]);
    out = Leap{TrialId{table.trials[row]}, std::sqrt(nearest)};
  }
  return out;
}

}  // namespace betatune
