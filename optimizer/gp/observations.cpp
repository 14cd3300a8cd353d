#include "optimizer/gp/observations.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>

#include "optimizer/curves/curve_model.hpp"
#include "optimizer/numerics/rows.hpp"
#include "optimizer/pareto/front.hpp"

namespace betatune {
namespace {

enum class Use { result, failure, pending, nothing };

bool failed_by_itself(const Trial& trial) {
  return trial.outcome == Outcome::failed && trial.last_failure != FailureClass::infra;
}

/// The step whose losses are compared; 0 without a fidelity.
Step choose_step(const History& history) {
  if (!history.spec->fidelity) return 0;
  std::map<Step, int, std::greater<>> losses;
  for (const Trial& trial : history.trials) {
    for (const Observation& each : trial.observations) {
      if (each.loss) ++losses[each.step];
    }
  }
  const int enough = history.space().dims() + 2;
  Step most = history.spec->fidelity->max;
  int count = 0;
  for (const auto& [step, number] : losses) {
    if (number >= enough) return step;
    if (number > count) {
      most = step;
      count = number;
    }
  }
  return most;
}

Use use_of(const Trial& trial, bool has_result) {
  if (failed_by_itself(trial)) return Use::failure;
  if (trial.outcome == Outcome::failed || trial.outcome == Outcome::cancelled) return Use::nothing;
  if (has_result) return Use::result;
  const bool ended = trial.state == TrialState::closed || trial.state == TrialState::paused;
  return ended ? Use::nothing : Use::pending;
}

/// Constraints and further objectives, as they were known at `step` (0: at the end).
std::vector<double> outcomes_of(const Trial& trial, Step step) {
  if (step == 0) return trial.outcomes;
  const Observation* found = trial.observed_at(step);
  return found == nullptr ? std::vector<double>() : found->outcomes;
}

struct Seen {
  Use use = Use::nothing;
  double loss = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> outcomes;
};

Seen seen_of(const Trial& trial, Step step) {
  Seen out;
  const std::optional<double> found = step == 0 ? trial.loss : trial.loss_at(step);
  const bool settled = step != 0 || trial.state == TrialState::closed;
  out.use = use_of(trial, found && settled);
  if (out.use == Use::result) out.loss = *found;
  out.outcomes = outcomes_of(trial, step);
  return out;
}

Seen mean_of(const std::vector<Seen>& results) {
  Seen out = results.front();
  for (std::size_t i = 1; i < results.size(); ++i) {
    out.loss += results[i].loss;
    if (results[i].outcomes.size() != out.outcomes.size()) out.outcomes.clear();
    for (std::size_t k = 0; k < out.outcomes.size(); ++k) out.outcomes[k] += results[i].outcomes[k];
  }
  const auto count = static_cast<double>(results.size());
  out.loss /= count;
  for (double& each : out.outcomes) each /= count;
  return out;
}

/// Of a trial and of those that repeat it.
Seen seen_of_all(const TrialTable& trials, const Trial& first, Step step) {
  if (first.repeated_by.empty()) return seen_of(first, step);
  std::vector<Seen> results;
  Seen other;
  const auto look_at = [&](const Trial& trial) {
    Seen seen = seen_of(trial, step);
    if (seen.use == Use::result && trial.state == TrialState::closed) {
      results.push_back(std::move(seen));
    } else if (seen.use != Use::nothing && !trial.confirms()) {
      // Pending before failed: it may come to a result yet.
      if (seen.use == Use::result) seen.use = Use::pending;
      if (other.use != Use::pending) other = std::move(seen);
    }
  };
  look_at(first);
  for (const TrialId id : first.repeated_by) look_at(trials[id]);
  if (other.use == Use::pending || results.empty()) return other;
  return mean_of(results);
}

struct ExpectedEnd {
  double loss = std::numeric_limits<double>::quiet_NaN();
  double doubt = 0;  ///< its standard deviation
};

/// By trial: the loss that it is believed to end in; NaN while it has reported none.
std::vector<ExpectedEnd> expected_ends(const History& history, EncodedTrials& encoded) {
  std::vector<ExpectedEnd> out(history.trials.size());
  const SearchSpace& space = history.space();
  const CurveTable table = curve_table(space, *history.spec->fidelity, history.trials, encoded);
  if (table.rows() == 0) return out;
  const CurveModel model(FeatureMap(space.columns()), table);
  const CurveBeliefs ends = model.of_rows();
  const Eigen::Index last = table.losses.cols() - 1;
  for (Eigen::Index i = 0; i < table.rows(); ++i) {
    const double known = table.losses(i, last);
    ExpectedEnd& end = out[table.trials[static_cast<std::size_t>(i)]];
    if (!std::isnan(known)) {
      end.loss = known;
      continue;
    }
    end.loss = model.scale().loss_of(ends.mean[i]);
    // What neighbours share of it shifts them together, and says nothing about their order.
    end.doubt = std::sqrt(ends.own_variance[i]) * model.scale().slope_at(ends.mean[i]);
  }
  return out;
}

Seen seen_along_curve(const Trial& trial, const ExpectedEnd& end) {
  Seen out;
  out.use = use_of(trial, !std::isnan(end.loss));
  if (out.use != Use::result) return out;
  out.loss = end.loss;
  out.outcomes = trial.outcomes;
  return out;
}

/// The rows whose value is known.
Samples samples_of(const Observations& data, const Eigen::VectorXd& values,
                   const Eigen::VectorXd& doubts = {}) {
  const Eigen::Index count = (values.array() == values.array()).count();  // NaN is not itself
  Samples out{{}, RowMatrix(count, data.points.cols()), Eigen::VectorXd(count)};
  if (doubts.size() > 0) out.doubts.resize(count);
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    const Eigen::Index row = std::ssize(out.trials);
    out.trials.push_back(data.trials[static_cast<std::size_t>(i)]);
    out.points.row(row) = data.points.row(i);
    out.values[row] = values[i];
    if (doubts.size() > 0) out.doubts[row] = doubts[i];
  }
  return out;
}

bool lacks_objective(const std::vector<double>& outcomes, const StudySpec& spec) {
  const std::size_t limits = spec.outcome_constraints.size();
  const std::size_t wanted = limits + spec.objectives.size() - 1;
  if (spec.objectives.size() == 1) return false;
  if (outcomes.size() != wanted) return true;
  return std::any_of(outcomes.begin() + static_cast<std::ptrdiff_t>(limits), outcomes.end(),
                     [](double each) { return std::isnan(each); });
}

/// Slacks and further objectives, one trial's outcomes after the other; a failed trial may have
/// none.
void fill_outcomes(const std::vector<std::vector<double>>& outcomes, const StudySpec& spec,
                   Observations& out) {
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  const Eigen::Index limits = std::ssize(spec.outcome_constraints);
  const Eigen::Index further = std::ssize(spec.objectives) - 1;
  out.slacks = RowMatrix::Constant(out.size(), limits, unknown);
  out.objectives = RowMatrix::Constant(out.size(), 1 + further, unknown);
  out.objectives.col(0) = out.losses;
  for (Eigen::Index i = 0; i < out.size(); ++i) {
    const std::vector<double>& own = outcomes[static_cast<std::size_t>(i)];
    if (std::ssize(own) != limits + further) continue;
    const auto values = Eigen::Map<const Eigen::RowVectorXd>(own.data(), std::ssize(own));
    out.slacks.row(i) = values.head(limits);
    if (!std::isnan(out.losses[i])) out.objectives.row(i).tail(further) = values.tail(further);
  }
}

double violation_of(const Observations& data, Eigen::Index row) {
  const Eigen::VectorXd slacks = data.slacks.row(row);
  return total_violation(std::span(slacks.data(), static_cast<std::size_t>(slacks.size())));
}

/// By front and crowding, among the rows whose result meets the limits.
Eigen::VectorXd merits_in_fronts(const Observations& data) {
  std::vector<Eigen::Index> rows;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (data.meets_limits(i)) rows.push_back(i);
  }
  const Eigen::VectorXd merits = front_merits(pick_rows(data.objectives, rows));
  Eigen::VectorXd out = data.losses;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out[rows[i]] = merits[static_cast<Eigen::Index>(i)];
  }
  return out;
}

/// What breaks limits is worse than all that does not, by as much as it breaks them.
/// source: Deb 2000, doi:10.1016/S0045-7825(99)00389-8
Eigen::VectorXd merits_of(const Observations& data) {
  Eigen::VectorXd merits = data.objectives.cols() > 1 ? merits_in_fronts(data) : data.losses;
  if (data.slacks.cols() == 0) return merits;
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  Eigen::VectorXd violations(data.size());
  double worst = kNone, largest = 0;
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    violations[i] = violation_of(data, i);
    if (std::isnan(data.losses[i])) continue;
    if (violations[i] == 0) worst = std::max(worst, merits[i]);
    if (std::isfinite(violations[i])) largest = std::max(largest, violations[i]);
  }
  for (Eigen::Index i = 0; i < data.size(); ++i) {
    if (std::isnan(merits[i]) || violations[i] == 0) continue;
    // Not known is worse than all that is.
    const double broken = std::isfinite(violations[i]) ? violations[i] : 2 * largest + 1;
    merits[i] = (worst == kNone ? 0 : worst) + broken;
  }
  return merits;
}

RowMatrix stack(const std::vector<const Eigen::VectorXd*>& rows, int dims) {
  RowMatrix out(std::ssize(rows), dims);
  for (Eigen::Index i = 0; i < out.rows(); ++i) out.row(i) = *rows[static_cast<std::size_t>(i)];
  return out;
}

}  // namespace

Samples Observations::results() const {
  return samples_of(*this, losses, doubts);
}

Samples Observations::results_of(Eigen::Index objective) const {
  return samples_of(*this, objectives.col(objective));
}

Samples Observations::known_slacks(Eigen::Index constraint) const {
  return samples_of(*this, slacks.col(constraint));
}

bool Observations::meets_limits(Eigen::Index row) const {
  return !std::isnan(losses[row]) && violation_of(*this, row) == 0;
}

Observations ObservationCollector::collect(const History& history) {
  const SearchSpace& space = history.space();
  Observations out;
  out.expected = models_curves(*history.spec);
  out.step = out.expected ? history.spec->fidelity->max : choose_step(history);
  std::vector<ExpectedEnd> ends;
  if (out.expected) ends = expected_ends(history, encoded_);
  // Points are copied once, at the end: what they point to stays where it is until then.
  encoded_.expect(history.trials.size());
  std::vector<const Eigen::VectorXd*> points, pending;
  std::deque<Eigen::VectorXd> queued;
  std::vector<double> losses, doubts;
  std::vector<std::vector<double>> outcomes;
  for (const Trial& trial : history.trials) {
    if (trial.repeats) continue;
    Seen seen = out.expected ? seen_along_curve(trial, ends[trial.id.n])
                             : seen_of_all(history.trials, trial, out.step);
    if (seen.use == Use::nothing) continue;
    if (seen.use == Use::result && lacks_objective(seen.outcomes, *history.spec)) continue;
    const std::optional<Eigen::VectorXd>& point = encoded_.at(space, trial);
    if (!point) continue;
    if (seen.use == Use::pending) {
      pending.push_back(&*point);
      continue;
    }
    if (seen.use == Use::result) ++out.finite;
    out.trials.push_back(trial.id.n);
    points.push_back(&*point);
    losses.push_back(seen.loss);
    if (out.expected) doubts.push_back(ends[trial.id.n].doubt);
    outcomes.push_back(std::move(seen.outcomes));
  }
  for (const Configuration& each : history.queued) {
    if (auto point = space.try_encode(each)) {
      pending.push_back(&queued.emplace_back(*std::move(point)));
    }
  }
  out.points = stack(points, space.dims());
  out.pending = stack(pending, space.dims());
  out.losses = Eigen::Map<const Eigen::VectorXd>(losses.data(), std::ssize(losses));
  out.doubts = Eigen::Map<const Eigen::VectorXd>(doubts.data(), std::ssize(doubts));
  fill_outcomes(outcomes, *history.spec, out);
  out.merits = merits_of(out);
  return out;
}

}  // namespace betatune
