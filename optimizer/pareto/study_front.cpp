#include "optimizer/pareto/study_front.hpp"

#include <algorithm>
#include <cmath>

namespace betatune {
namespace {

RowMatrix matrix_of(const std::vector<std::vector<double>>& rows, std::size_t columns) {
  RowMatrix out(std::ssize(rows), static_cast<Eigen::Index>(columns));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.row(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const Eigen::RowVectorXd>(rows[i].data(), std::ssize(rows[i]));
  }
  return out;
}

struct Candidates {
  std::vector<std::size_t> ids;
  std::vector<std::vector<double>> losses;
};

Candidates candidates_of(const StudyState& state) {
  Candidates out;
  for (const Trial& trial : state.trials) {
    if (trial.outcome != Outcome::completed || !trial.loss || trial.violation != 0) continue;
    std::vector<double> losses = state.outcomes.losses(*trial.loss, trial.outcomes);
    if (std::ranges::any_of(losses, [](double each) { return std::isnan(each); })) continue;
    out.ids.push_back(trial.id.n);
    out.losses.push_back(std::move(losses));
  }
  return out;
}

}  // namespace

Eigen::VectorXd reference_of(const std::vector<ObjectiveSpec>& objectives,
                             const RowMatrix& losses) {
  Eigen::VectorXd out = infer_reference(losses, non_dominated(losses));
  for (std::size_t j = 0; j < objectives.size(); ++j) {
    if (!objectives[j].threshold) continue;
    const double sign = objectives[j].goal == Goal::maximize ? -1 : 1;
    out[static_cast<Eigen::Index>(j)] = sign * *objectives[j].threshold;
  }
  return out;
}

StudyFront front_of(const std::vector<ObjectiveSpec>& objectives,
                    const std::vector<std::vector<double>>& losses) {
  StudyFront out;
  if (losses.empty()) return out;
  const RowMatrix points = matrix_of(losses, objectives.size());
  for (const Eigen::Index row : non_dominated(points)) {
    out.members.push_back(static_cast<std::size_t>(row));
  }
  out.reference = reference_of(objectives, points);
  out.hypervolume = hypervolume(points, out.reference);
  return out;
}

std::vector<TrialId> front_trials(const StudyState& state) {
  const Candidates all = candidates_of(state);
  std::vector<TrialId> out;
  for (const Eigen::Index row : non_dominated(matrix_of(all.losses, state.outcomes.objectives()))) {
    out.push_back(TrialId{all.ids[static_cast<std::size_t>(row)]});
  }
  return out;
}

StudyFront front_of(const std::vector<ObjectiveSpec>& objectives, const StudyState& state) {
  const Candidates all = candidates_of(state);
  StudyFront out = front_of(objectives, all.losses);
  for (std::size_t& each : out.members) each = all.ids[each];
  return out;
}

}  // namespace betatune
