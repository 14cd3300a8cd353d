/// The median stopping rule of Google Vizier (Golovin et al. 2017, doi:10.1145/3097983.3098043, on
/// automated early stopping): a running trial is stopped at step s if its best objective by step s
/// is strictly worse than the median of the averages of all completed trials' objectives that were
/// reported up to step s.
///
/// A trial that was stopped is complete, with what it reported until then. Were only those compared
/// with that were trained to the end, each would have to beat the median of ever better ones: of n
/// trials one after the other about the square root would be trained to the end, and not a half.
///
/// What breaks outcome constraints is worse than all that does not, and one such result is as bad
/// as another: where half of the trials break them, nobody is stopped for it.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <set>

#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

struct MedianOptions {
  int min_trials = 5;
  std::optional<Step> grace;
  static constexpr auto fields() {
    return std::tuple{defaulted("min_trials", &MedianOptions::min_trials,
                                "Nothing is stopped before so many trials have ended."),
                      Field{"grace", &MedianOptions::grace,
                            "Nothing is stopped before this step; default fidelity.min."}};
  }
};

/// The median of a growing set of numbers: the lower half (and the middle one) beside the rest.
class Median {
 public:
  void add(double number) {
    (lower_.empty() || number <= *lower_.rbegin() ? lower_ : upper_).insert(number);
    if (lower_.size() > upper_.size() + 1) upper_.insert(lower_.extract(std::prev(lower_.end())));
    if (upper_.size() > lower_.size()) lower_.insert(upper_.extract(upper_.begin()));
  }
  std::size_t size() const { return lower_.size() + upper_.size(); }
  /// Precondition: size() > 0.
  double value() const {
    if (lower_.size() > upper_.size()) return *lower_.rbegin();
    return *lower_.rbegin() / 2 + *upper_.begin() / 2;
  }

 private:
  std::multiset<double> lower_, upper_;
};

constexpr double kBroken = std::numeric_limits<double>::infinity();

/// Whether it is known to; a metric may be reported at the end only.
bool breaks_limits(const StudyState& state, const Observation& each) {
  if (state.outcomes.empty()) return false;
  const double violation = state.outcomes.violation(each.outcomes);
  return violation > 0 && std::isfinite(violation);
}

class MedianStopping final : public Scheduler {
 public:
  MedianStopping(int min_trials, Step grace, Step full_budget)
      : min_trials_(static_cast<std::size_t>(min_trials)),
        grace_(grace),
        full_budget_(full_budget) {}

  void observe(const StudyState& state, const Event& event) override {
    const auto* closed = std::get_if<TrialClosed>(&event.fact);
    if (closed == nullptr) return;
    const Outcome outcome = closed->outcome;
    if (outcome == Outcome::completed || outcome == Outcome::stopped) {
      remember(state, state.trials[closed->trial]);
    }
  }

  std::optional<Assignment> next(const StudyState&, bool may_start) const override {
    if (may_start) return StartNew{full_budget_};
    return std::nullopt;
  }

  Verdict judge(const StudyState& state, const Trial& trial,
                const Observation& observation) const override {
    const auto at = compare(state, trial, observation);
    if (!at || !(at->best > at->median)) return {};
    if (at->best == kBroken) {
      return {Action::stop,
              fmt::format("it breaks outcome constraints at step {}, and most of {} trials did not",
                          observation.step, at->trials)};
    }
    return {Action::stop, fmt::format("its best by step {} is worse than the median of {} trials",
                                      observation.step, at->trials)};
  }

  DecisionBasis basis(const StudyState& state, const Trial& trial) const override {
    if (trial.observations.empty()) return {};
    const auto at = compare(state, trial, trial.observations.back());
    return at ? DecisionBasis(*at) : DecisionBasis();
  }

  bool completes(const StudyState&, const Trial&) const override { return true; }

 private:
  /// Of one trial that has ended: its reports, each with the average of all up to it.
  using Averages = std::vector<std::pair<Step, double>>;
  /// The averages up to one step, of the first so many trials that have ended.
  struct UpTo {
    Median averages;
    std::size_t ended = 0;
  };

  void remember(const StudyState& state, const Trial& trial) {
    Averages averages;
    double sum = 0;
    for (const Observation& each : trial.observations) {
      if (!each.loss) continue;
      sum += *each.loss;
      const double average = sum / static_cast<double>(averages.size() + 1);
      averages.emplace_back(each.step, breaks_limits(state, each) ? kBroken : average);
      up_to_.try_emplace(each.step);
    }
    if (!averages.empty()) ended_.push_back(std::move(averages));
  }

  /// Nothing at a step that no trial that has ended reported: there is nobody to be compared with.
  const Median* averages_up_to(Step step) const {
    const auto found = up_to_.find(step);
    if (found == up_to_.end()) return nullptr;
    UpTo& at = found->second;
    for (; at.ended < ended_.size(); ++at.ended) {
      const Averages& trial = ended_[at.ended];
      const auto later = std::ranges::upper_bound(trial, step, {}, &Averages::value_type::first);
      if (later != trial.begin()) at.averages.add(std::prev(later)->second);
    }
    return &at.averages;
  }

  /// Nothing where nothing is stopped.
  std::optional<MedianBasis> compare(const StudyState& state, const Trial& trial,
                                     const Observation& observation) const {
    if (observation.step < grace_) return std::nullopt;
    const Median* others = averages_up_to(observation.step);
    if (others == nullptr || others->size() < min_trials_) return std::nullopt;
    double best = kBroken;
    for (const Observation& each : trial.observations) {
      if (each.step > observation.step || breaks_limits(state, observation)) break;
      if (each.loss && !breaks_limits(state, each)) best = std::min(best, *each.loss);
    }
    return MedianBasis{best, others->value(), others->size()};
  }

  std::size_t min_trials_;
  Step grace_, full_budget_;
  std::vector<Averages> ended_;         ///< in the order of their ends
  mutable std::map<Step, UpTo> up_to_;  ///< brought up to date where it is asked
};

std::unique_ptr<Scheduler> make(const PolicyContext& context, const MedianOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_fidelity("median-stopping", context.spec, node, diagnostics);
  fine = check_one_objective("median-stopping", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  if (!check_steps("median-stopping", fidelity, node, diagnostics)) return nullptr;
  if (options.min_trials < 1) {
    diagnostics.error("E0502",
                      std::string(Scheduler::kOptionsPath) + ".min_trials must be at least 1",
                      option_mark(node, "min_trials"), "5 suits most studies");
    return nullptr;
  }
  const Step grace = options.grace.value_or(fidelity.min);
  if (grace < 1 || grace >= fidelity.max) {
    diagnostics.error("E0502",
                      fmt::format("{}.grace must be from 1 to {}, below fidelity.max",
                                  Scheduler::kOptionsPath, fidelity.max - 1),
                      option_mark(node, "grace"), "leave it out for fidelity.min");
    return nullptr;
  }
  return std::make_unique<MedianStopping>(options.min_trials, grace, fidelity.max);
}

const bool registered = SchedulerRegistry::add<MedianOptions>(
    "median-stopping", "Stops trials that are worse than the median of those before them.", make);

}  // namespace
}  // namespace betatune
