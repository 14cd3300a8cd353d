/// Pauses every trial at each rung and then asks a model which of them to train on, or whether to
/// start a new one: by expected improvement at the end for the price of getting there (after
/// freeze-thaw, Swersky et al. 2014, arXiv:1406.3896). A share of the decisions stays with
/// asynchronous successive halving (arXiv:1810.05934), which decides alone until there is anything
/// to learn from: a model that is wrong costs little, and every link of it keeps being taught.

#include <algorithm>
#include <cmath>
#include <limits>

#include "optimizer/curves/prospects.hpp"
#include "optimizer/numerics/normal.hpp"
#include "optimizer/numerics/turns.hpp"
#include "optimizer/schedulers/ladder.hpp"
#include "optimizer/schedulers/options.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

struct FreezeThawOptions {
  double eta = 3;
  double ladder = 0.25;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &FreezeThawOptions::eta,
                  "Distance of the rungs at which trials pause, as of asha."),
        defaulted("ladder", &FreezeThawOptions::ladder,
                  "Share of the decisions that asha's rule takes and not the model.")};
  }
};

/// Chance to beat the best, below which nobody is trained on once no new trial may start.
constexpr double kLeastChance = 0.02;

class FreezeThaw final : public Scheduler {
 public:
  FreezeThaw(const StudySpec& spec, const FreezeThawOptions& options)
      : options_(options),
        space_(spec.space),
        fidelity_(*spec.fidelity),
        key_(fold_in(study_key(spec), "freeze-thaw")),
        map_(spec.space.columns()),
        ladder_(rung_levels(fidelity_.min, fidelity_.max, options.eta), options.eta, 1) {
    prices_.assign(ladder_.size(), 0);
    for (std::size_t rung = ladder_.size() - 1; rung-- > 0;) {
      prices_[rung] = price_of_step(rung) + prices_[rung + 1] / options.eta;
    }
    price_of_new_ = static_cast<double>(ladder_.level(0)) + prices_[0] / options.eta;
  }

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= ladder_.levels().back();
  }
  Step first_goal(const StudyState&, const Trial&) const override {
    return ladder_.levels().front();
  }
  RungPlan rungs() const override { return {ladder_.levels(), options_.eta, false, false}; }

 private:
  /// To the next rung, in steps.
  double price_of_step(std::size_t rung) const {
    const Step from = fidelity_.resumable ? ladder_.level(rung) : 0;
    return static_cast<double>(ladder_.level(rung + 1) - from);
  }
  bool knows_enough() const {
    return static_cast<int>(ladder_.rung(0).size()) >= space_.dims() + 2 &&
           ladder_.rung(ladder_.size() - 1).size() > 0;
  }
  /// The model, what it says of the trials, and the lowest loss at the end that is known.
  struct Round {
    explicit Round(const FreezeThaw& own, CurveTable curves);
    CurveTable table;
    CurveModel model;
    CurveBeliefs rows;
    double best = std::numeric_limits<double>::infinity();

    const Trial& trial_of(Eigen::Index row, const StudyState& state) const {
      return state.trials[TrialId{table.trials[static_cast<std::size_t>(row)]}];
    }
  };
  /// A trial to go on, and the log of what that promises for its price.
  struct Choice {
    std::optional<Assignment> what;
    double worth = -std::numeric_limits<double>::infinity();
  };
  std::optional<Assignment> by_model(const StudyState& state, bool may_start) const;
  Choice best_paused(const StudyState& state, const Round& round, bool may_start) const;
  bool may_go_on(const Trial& trial) const {
    return trial.state == TrialState::paused && trial.violation == 0 &&
           ladder_.rung_of(trial.id) >= 0;
  }
  Resume to_next_rung(const Trial& trial) const {
    return Resume{trial.id, ladder_.level(static_cast<std::size_t>(ladder_.rung_of(trial.id)) + 1)};
  }

  FreezeThawOptions options_;
  SearchSpace space_;
  FidelitySpec fidelity_;
  Key key_;
  FeatureMap map_;
  Ladder ladder_;
  /// Expected steps of a trial from each rung on, if one in eta goes on at each.
  std::vector<double> prices_;
  double price_of_new_ = 0;
  std::uint64_t decisions_ = 0;  ///< attempts that began
  mutable EncodedTrials encoded_;
};

void FreezeThaw::observe(const StudyState& state, const Event& event) {
  ladder_.observe(state, event);
  if (std::holds_alternative<AttemptStarted>(event.fact)) ++decisions_;
}

std::optional<Assignment> FreezeThaw::next(const StudyState& state, bool may_start) const {
  if (knows_enough() && !has_turn(decisions_, options_.ladder)) {
    if (auto chosen = by_model(state, may_start)) return chosen;
  }
  if (auto chosen = ladder_.promotion_or_new(may_start)) return chosen;
  return ladder_.finish(state);
}

FreezeThaw::Round::Round(const FreezeThaw& own, CurveTable curves)
    : table(std::move(curves)), model(own.map_, table), rows(model.of_rows()) {}

std::optional<Assignment> FreezeThaw::by_model(const StudyState& state, bool may_start) const {
  CurveTable table = curve_table(space_, fidelity_, state.trials, encoded_);
  if (table.rows() == 0) return std::nullopt;
  Round round(*this, std::move(table));
  for (Eigen::Index i = 0; i < round.table.rows(); ++i) {
    const bool known = round.rows.variance[i] == 0 && round.trial_of(i, state).violation == 0;
    if (known) round.best = std::min(round.best, round.rows.mean[i]);
  }
  if (!std::isfinite(round.best)) return std::nullopt;
  const Choice paused = best_paused(state, round, may_start);
  if (!may_start) return paused.what;
  const double of_new =
      log_prospect_of_new(space_, round.model, round.table, round.rows, fold_in(key_, decisions_)) -
      std::log(price_of_new_);
  return of_new >= paused.worth ? StartNew{ladder_.level(0)} : paused.what;
}

FreezeThaw::Choice FreezeThaw::best_paused(const StudyState& state, const Round& round,
                                           bool may_start) const {
  Choice out;
  for (Eigen::Index i = 0; i < round.table.rows(); ++i) {
    const Trial& trial = round.trial_of(i, state);
    if (!may_go_on(trial)) continue;
    const double mean = round.rows.mean[i], variance = round.rows.variance[i];
    // Where no new trial competes for the time, a chance has to be worth it by itself.
    const double z = (round.best - mean) / std::sqrt(variance);
    if (!may_start && log_ndtr(z) < std::log(kLeastChance)) continue;
    const double price = prices_[static_cast<std::size_t>(ladder_.rung_of(trial.id))];
    const double worth = log_improvement_of(mean, variance, round.best) - std::log(price);
    if (worth <= out.worth) continue;
    out = {to_next_rung(trial), worth};
  }
  return out;
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const FreezeThawOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("freeze-thaw", context.spec, node, diagnostics) && fine;
  fine = check_one_objective("freeze-thaw", context.spec, node, diagnostics) && fine;
  if (!(options.ladder >= 0 && options.ladder <= 1)) {
    diagnostics.error("E0502", "algorithm.scheduler.ladder must be in [0, 1]",
                      option_mark(node, "ladder"), "0.25: every fourth decision");
    fine = false;
  }
  if (!fine) return nullptr;
  return std::make_unique<FreezeThaw>(context.spec, options);
}

const bool registered = SchedulerRegistry::add<FreezeThawOptions>(
    "freeze-thaw", "A model of the learning curves says which paused trial goes on.", make);

}  // namespace
}  // namespace betatune
