/// The median stopping rule of Google Vizier (Golovin et al. 2017, section 3.1.2): a running trial
/// is stopped at step s if its best objective by step s is strictly worse than the median of the
/// running averages, up to step s, of all trials that were trained to the end.

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <set>

#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

struct MedianOptions {
  int min_trials = 5;
  std::optional<Step> grace;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("min_trials", &MedianOptions::min_trials,
                  "Nothing is stopped before so many trials were trained to the end."),
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

class MedianStopping final : public Scheduler {
 public:
  MedianStopping(int min_trials, Step grace, Step full_budget)
      : min_trials_(static_cast<std::size_t>(min_trials)),
        grace_(grace),
        full_budget_(full_budget) {}

  void observe(const StudyState& state, const Event& event) override {
    const auto* closed = std::get_if<TrialClosed>(&event.fact);
    if (closed == nullptr || closed->outcome != Outcome::completed) return;
    double sum = 0;
    double count = 0;
    for (const Observation& each : state.trials[closed->trial].observations) {
      if (!each.loss) continue;
      sum += *each.loss;
      averages_[each.step].add(sum / ++count);
    }
  }

  std::optional<Assignment> next(const StudyState&, bool may_start) const override {
    if (may_start) return StartNew{full_budget_};
    return std::nullopt;
  }

  Verdict judge(const StudyState&, const Trial& trial,
                const Observation& observation) const override {
    const auto at = compare(trial, observation);
    if (!at || !(at->best > at->median)) return {};
    return {Action::stop, fmt::format("its best by step {} is worse than the median of {} trials",
                                      observation.step, at->trials)};
  }

  DecisionBasis basis(const StudyState&, const Trial& trial) const override {
    if (trial.observations.empty()) return {};
    const auto at = compare(trial, trial.observations.back());
    return at ? DecisionBasis(*at) : DecisionBasis();
  }

  bool completes(const StudyState&, const Trial&) const override { return true; }

 private:
  /// Nothing where nothing is stopped.
  std::optional<MedianBasis> compare(const Trial& trial, const Observation& observation) const {
    if (observation.step < grace_) return std::nullopt;
    const auto found = averages_.find(observation.step);
    if (found == averages_.end() || found->second.size() < min_trials_) return std::nullopt;
    double best = std::numeric_limits<double>::infinity();
    for (const Observation& each : trial.observations) {
      if (each.step <= observation.step && each.loss) best = std::min(best, *each.loss);
    }
    return MedianBasis{best, found->second.value(), found->second.size()};
  }

  std::size_t min_trials_;
  Step grace_, full_budget_;
  std::map<Step, Median> averages_;  ///< of finished trials, up to each step that they reported
};

std::unique_ptr<Scheduler> make(const PolicyContext& context, const MedianOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_fidelity("median-stopping", context.spec, node, diagnostics);
  fine = check_one_objective("median-stopping", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
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
