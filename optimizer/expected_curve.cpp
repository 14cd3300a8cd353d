#include "optimizer/expected_curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimizer/curves/curve_model.hpp"

namespace betatune {
namespace {

/// Trials with a loss at this level and at the next.
std::int64_t teachers_of(const CurveTable& table, Eigen::Index level) {
  std::int64_t count = 0;
  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    const bool both =
        !std::isnan(table.losses(i, level)) && !std::isnan(table.losses(i, level + 1));
    count += both ? 1 : 0;
  }
  return count;
}

}  // namespace

std::vector<ExpectedPoint> expected_curve(const StudySpec& spec, const TrialTable& trials,
                                          TrialId trial) {
  if (!models_curves(spec)) return {};
  EncodedTrials encoded;
  const CurveTable table = curve_table(spec.space, *spec.fidelity, trials, encoded);
  const auto found = std::ranges::lower_bound(table.trials, trial.n);
  if (found == table.trials.end() || *found != trial.n) return {};
  const Eigen::Index row = std::distance(table.trials.begin(), found), top = table.top_of(row);
  const CurveModel model(FeatureMap(spec.space.columns()), table);
  const CurveBeliefs beliefs = model.beyond(row);
  std::vector<ExpectedPoint> out;
  for (Eigen::Index i = 0; i < beliefs.mean.size(); ++i) {
    const std::int64_t teachers = teachers_of(table, top + i);
    if (teachers == 0) break;
    const double mean = beliefs.mean[i], deviation = std::sqrt(beliefs.variance[i]);
    const auto loss = [&](double output) { return model.scale().loss_of(output); };
    out.push_back({table.levels[static_cast<std::size_t>(top + i + 1)], loss(mean),
                   loss(mean - deviation), loss(mean + deviation), teachers});
  }
  return out;
}

Result<std::vector<ExpectedPoint>> read_expected_curve(const StudyStore& store, TrialId trial,
                                                       const SpecOfDocument& spec_of) {
  StudyState state;
  BETATUNE_CHECK(for_each_event(store, std::numeric_limits<Sequence>::max(),
                                [&](const Event& event) { return apply(state, event); }));
  BETATUNE_TRY(const auto spec, spec_of(state.document));
  return expected_curve(*spec, state.trials, trial);
}

}  // namespace betatune
