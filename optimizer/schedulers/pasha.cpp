/// PASHA (Bohdal et al. 2023, arXiv:2207.06940): asynchronous successive halving whose highest rung
/// is raised only while it still changes the order of the trials.
///
/// It begins with the two lowest rungs. Whenever a trial reaches the highest rung so far, the
/// trials there are ranked by their losses at it and at the rung below. Two trials whose losses at
/// the lower rung differ by at most epsilon may change places; if any others did, there is one rung
/// more. Epsilon is the noise of the trials' own curves: the 90th percentile of the differences of
/// pairs that crossed and crossed back.
///
/// With several objectives the order must hold in each of them, with an epsilon for each: then the
/// fronts hold too, because who dominates whom follows from these orders.

#include <algorithm>
#include <cmath>

#include "optimizer/schedulers/ladder.hpp"
#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

constexpr double kPercentile = 0.9;

struct PashaOptions {
  double eta = 3;
  static constexpr auto fields() {
    return std::tuple{defaulted("eta", &PashaOptions::eta, "One in eta goes on at each rung.")};
  }
};

/// An objective's value at each step where it is known, to be minimised.
using Curve = std::map<Step, double>;

Curve curve_of(const StudyState& state, const Trial& trial, std::size_t objective, Step until) {
  Curve curve;
  for (const Observation& each : trial.observations) {
    if (each.step > until) break;
    if (!each.loss) continue;
    const double value =
        objective == 0 ? *each.loss : state.outcomes.losses(*each.loss, each.outcomes)[objective];
    if (!std::isnan(value)) curve.emplace_hint(curve.end(), each.step, value);
  }
  return curve;
}

/// Of two curves: the distance at the last of their common steps if their order there is that of an
/// earlier step, and was another one between; nothing if it never came back.
std::optional<double> crossing(const Curve& a, const Curve& b) {
  int changes = 0;
  int order = 0;
  double distance = 0;
  for (const auto& [step, mine] : a) {
    const auto other = b.find(step);
    if (other == b.end()) continue;
    distance = std::abs(mine - other->second);
    const int now = mine < other->second ? -1 : mine > other->second ? 1 : 0;
    if (now == 0) continue;
    if (order != 0 && now != order) ++changes;
    order = now;
  }
  return changes >= 2 ? std::optional(distance) : std::nullopt;
}

class Pasha final : public Scheduler {
 public:
  Pasha(double eta, std::vector<Step> levels, std::size_t objectives)
      : eta_(eta),
        objectives_(objectives),
        ladder_(std::move(levels), eta, objectives),
        top_(std::min<std::size_t>(1, ladder_.size() - 1)),
        losses_(ladder_.size()) {}

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= ladder_.levels().back();
  }
  Step first_goal(const StudyState&, const Trial&) const override {
    return ladder_.levels().front();
  }
  std::optional<RungStanding> standing(TrialId trial) const override;
  RungPlan rungs() const override { return {ladder_.levels(), eta_, false, false}; }

 private:
  void reached(const StudyState& state, const Trial& trial);
  bool order_is_settled(const StudyState& state) const;
  bool order_holds(const std::vector<TrialId>& trials, std::size_t objective,
                   double tolerated) const;
  double epsilon(const StudyState& state, const std::vector<TrialId>& trials,
                 std::size_t objective) const;

  double eta_;
  std::size_t objectives_;
  Ladder ladder_;
  std::size_t top_;  ///< the highest rung that trials may go to
  std::vector<std::map<TrialId, std::vector<double>>> losses_;  ///< by rung, of all objectives
};

void Pasha::reached(const StudyState& state, const Trial& trial) {
  const int at = rung_at(ladder_.levels(), trial.until);
  if (!ladder_.record(state, trial, at, trial.loss)) return;
  const auto rung = static_cast<std::size_t>(at);
  std::vector<double> losses = known_losses(state, trial, trial.loss, objectives_);
  if (losses.empty()) return;
  losses_[rung][trial.id] = std::move(losses);
  if (rung == top_ && top_ + 1 < ladder_.size() && !order_is_settled(state)) ++top_;
}

/// Whether the trials of the highest rung stand there as they stood one below, epsilon aside.
bool Pasha::order_is_settled(const StudyState& state) const {
  std::vector<TrialId> trials;
  for (const auto& [trial, loss] : losses_[top_]) {
    if (losses_[top_ - 1].contains(trial)) trials.push_back(trial);
  }
  if (trials.size() < 2) return true;
  for (std::size_t objective = 0; objective < objectives_; ++objective) {
    if (!order_holds(trials, objective, epsilon(state, trials, objective))) return false;
  }
  return true;
}

bool Pasha::order_holds(const std::vector<TrialId>& trials, std::size_t objective,
                        double tolerated) const {
  const auto by = [&](std::size_t rung) {
    return [this, rung, objective](TrialId a, TrialId b) {
      return std::pair(losses_[rung].at(a)[objective], a) <
             std::pair(losses_[rung].at(b)[objective], b);
    };
  };
  std::vector<TrialId> above = trials, below = trials;
  std::ranges::sort(above, by(top_));
  std::ranges::sort(below, by(top_ - 1));
  const auto before = [&](TrialId trial) { return losses_[top_ - 1].at(trial)[objective]; };
  for (std::size_t place = 0; place < trials.size(); ++place) {
    if (std::abs(before(above[place]) - before(below[place])) > tolerated) return false;
  }
  return true;
}

double Pasha::epsilon(const StudyState& state, const std::vector<TrialId>& trials,
                      std::size_t objective) const {
  std::vector<Curve> curves;
  for (const TrialId trial : trials) {
    curves.push_back(curve_of(state, state.trials[trial], objective, ladder_.level(top_)));
  }
  std::vector<double> distances;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const auto distance = crossing(curves[i], curves[j]);
      if (distance) distances.push_back(*distance);
    }
  }
  if (distances.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(
      std::ceil(kPercentile * static_cast<double>(distances.size())) - 1);
  std::ranges::nth_element(distances, distances.begin() + at);
  return distances[static_cast<std::size_t>(at)];
}

/// Nobody goes on from the highest rung so far.
std::optional<RungStanding> Pasha::standing(TrialId trial) const {
  auto out = ladder_.standing(trial);
  if (out && static_cast<std::size_t>(ladder_.rung_of(trial)) >= top_) {
    out->at.quota = 0;
    out->at.cut.reset();
  }
  return out;
}

void Pasha::observe(const StudyState& state, const Event& event) {
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    ladder_.start(*started);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end == AttemptEnd::reached) reached(state, state.trials[ended->trial]);
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    if (!ladder_.close(*closed)) return;
    for (auto& rung : losses_) rung.erase(closed->trial);
  }
}

/// The paper trains its best configuration afterwards; whoever asked for a model gets it here.
std::optional<Assignment> Pasha::next(const StudyState& state, bool may_start) const {
  if (auto promotion = ladder_.promotion(top_)) return promotion;
  if (may_start) return StartNew{ladder_.levels().front()};
  return ladder_.finish(state);
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const PashaOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("pasha", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  return std::make_unique<Pasha>(options.eta, rung_levels(fidelity.min, fidelity.max, options.eta),
                                 context.spec.objectives.size());
}

const bool registered = SchedulerRegistry::add<PashaOptions>(
    "pasha", "Successive halving whose trainings get longer only while that changes the order.",
    make);

}  // namespace
}  // namespace betatune
