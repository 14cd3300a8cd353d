#include "optimizer/curves/curve_table.hpp"

#include <cmath>
#include <limits>

#include "optimizer/schedulers/rungs.hpp"

namespace betatune {
namespace {

constexpr double kLevelRatio = 3;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

bool says_something(const Trial& trial) {
  return !trial.repeats && trial.outcome != Outcome::failed && trial.outcome != Outcome::cancelled;
}

/// False if there is no loss at any level.
bool losses_at(const Trial& trial, const std::vector<Step>& levels, std::vector<double>& out) {
  out.assign(levels.size(), kNone);
  bool any = false;
  for (const Observation& each : trial.observations) {
    if (!each.loss) continue;
    const auto above = std::lower_bound(levels.begin(), levels.end(), each.step);
    if (above == levels.end()) continue;
    // Between two levels it counts once the trial is past: until then it may get lower still.
    if (each.step < *above && trial.observations.back().step < *above) continue;
    out[static_cast<std::size_t>(above - levels.begin())] = *each.loss;
    any = true;
  }
  return any;
}

void drop_empty_levels(CurveTable& table) {
  Eigen::Index kept = 0;
  std::vector<Step> levels;
  for (Eigen::Index k = 0; k < table.losses.cols(); ++k) {
    const auto column = table.losses.col(k).array();
    const bool last = k + 1 == table.losses.cols();
    if (!last && !(column == column).any()) continue;  // NaN is not itself
    levels.push_back(table.levels[static_cast<std::size_t>(k)]);
    table.losses.col(kept++) = table.losses.col(k).eval();
  }
  table.losses.conservativeResize(Eigen::NoChange, kept);
  table.levels = std::move(levels);
}

}  // namespace

Eigen::Index CurveTable::top_of(Eigen::Index row) const {
  Eigen::Index level = losses.cols() - 1;
  while (level > 0 && std::isnan(losses(row, level))) --level;
  return level;
}

bool models_curves(const StudySpec& spec) {
  return spec.fidelity && spec.objectives.size() == 1 && !spec.noise.trains_again();
}

CurveTable curve_table(const SearchSpace& space, const FidelitySpec& fidelity,
                       const TrialTable& trials, EncodedTrials& encoded) {
  CurveTable table;
  table.levels = rung_levels(fidelity.min, fidelity.max, kLevelRatio);
  encoded.expect(trials.size());
  std::vector<const Eigen::VectorXd*> points;
  std::vector<double> all, own;
  for (const Trial& trial : trials) {
    if (!says_something(trial) || !losses_at(trial, table.levels, own)) continue;
    const std::optional<Eigen::VectorXd>& point = encoded.at(space, trial);
    if (!point) continue;
    points.push_back(&*point);
    table.trials.push_back(trial.id.n);
    all.insert(all.end(), own.begin(), own.end());
  }
  const Eigen::Index rows = std::ssize(points);
  table.points.resize(rows, space.dims());
  for (Eigen::Index i = 0; i < rows; ++i) {
    table.points.row(i) = *points[static_cast<std::size_t>(i)];
  }
  table.losses = Eigen::Map<const RowMatrix>(all.data(), rows, std::ssize(table.levels));
  drop_empty_levels(table);
  return table;
}

}  // namespace betatune
