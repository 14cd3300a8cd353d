#include "optimizer/gp/observations.hpp"

#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <ranges>

namespace betatune {
namespace {

enum class Use { result, failure, pending, nothing };

bool failed_by_itself(const Trial& trial) {
  return trial.outcome == Outcome::failed && trial.last_failure != FailureClass::infra;
}

/// The step whose losses are compared; 0 without a fidelity.
Step choose_step(const History& history) {
  if (!history.spec->fidelity) return 0;
  std::map<Step, int> losses;
  for (const Trial& trial : history.trials) {
    for (const Observation& each : trial.observations) {
      if (each.loss) ++losses[each.step];
    }
  }
  const int enough = history.space().dims() + 2;
  Step most = history.spec->fidelity->max;
  int count = 0;
  for (const auto& [step, number] : std::views::reverse(losses)) {
    if (number >= enough) return step;
    if (number > count) {
      most = step;
      count = number;
    }
  }
  return most;
}

Use use_of(const Trial& trial, Step step, double* loss) {
  *loss = std::numeric_limits<double>::quiet_NaN();
  if (failed_by_itself(trial)) return Use::failure;
  if (trial.outcome == Outcome::failed || trial.outcome == Outcome::cancelled) return Use::nothing;
  const std::optional<double> found = step == 0 ? trial.loss : trial.loss_at(step);
  const bool settled = step != 0 || trial.state == TrialState::closed;
  if (found && settled) {
    *loss = *found;
    return Use::result;
  }
  const bool ended = trial.state == TrialState::closed || trial.state == TrialState::paused;
  return ended ? Use::nothing : Use::pending;
}

RowMatrix stack(const std::vector<const Eigen::VectorXd*>& rows, int dims) {
  RowMatrix out(std::ssize(rows), dims);
  for (Eigen::Index i = 0; i < out.rows(); ++i) out.row(i) = *rows[static_cast<std::size_t>(i)];
  return out;
}

}  // namespace

Samples Observations::results() const {
  Samples out{{}, RowMatrix(finite, points.cols()), Eigen::VectorXd(finite)};
  for (Eigen::Index i = 0; i < size(); ++i) {
    if (std::isnan(losses[i])) continue;
    const Eigen::Index row = std::ssize(out.trials);
    out.trials.push_back(trials[static_cast<std::size_t>(i)]);
    out.points.row(row) = points.row(i);
    out.values[row] = losses[i];
  }
  return out;
}

const std::optional<Eigen::VectorXd>& ObservationCollector::encoded(const SearchSpace& space,
                                                                    const Trial& trial) {
  const std::size_t i = trial.id.n;
  if (encoded_[i].configuration != trial.configuration) {
    encoded_[i] = {trial.configuration, space.try_encode(*trial.configuration)};
  }
  return encoded_[i].point;
}

Observations ObservationCollector::collect(const History& history) {
  const SearchSpace& space = history.space();
  Observations out;
  out.step = choose_step(history);
  // Points are copied once, at the end: what they point to stays where it is until then.
  if (encoded_.size() < history.trials.size()) encoded_.resize(history.trials.size());
  std::vector<const Eigen::VectorXd*> points, pending;
  std::deque<Eigen::VectorXd> queued;
  std::vector<double> losses;
  for (const Trial& trial : history.trials) {
    double loss = 0;
    const Use use = use_of(trial, out.step, &loss);
    if (use == Use::nothing) continue;
    const std::optional<Eigen::VectorXd>& point = encoded(space, trial);
    if (!point) continue;
    if (use == Use::pending) {
      pending.push_back(&*point);
      continue;
    }
    if (use == Use::result) ++out.finite;
    out.trials.push_back(trial.id.n);
    points.push_back(&*point);
    losses.push_back(loss);
  }
  for (const Configuration& each : history.queued) {
    if (auto point = space.try_encode(each)) {
      pending.push_back(&queued.emplace_back(*std::move(point)));
    }
  }
  out.points = stack(points, space.dims());
  out.pending = stack(pending, space.dims());
  out.losses = Eigen::Map<const Eigen::VectorXd>(losses.data(), std::ssize(losses));
  return out;
}

}  // namespace betatune
