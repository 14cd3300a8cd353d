/// Pauses every trial at each rung and then asks a model which of them to train on, or whether to
/// start a new one: by what is to be gained at the end for the price of getting there, where one
/// may stop at every rung (stopping_index.hpp; after freeze-thaw, Swersky et al. 2014,
/// arXiv:1406.3896). A share of the decisions stays with
/// asynchronous successive halving (arXiv:1810.05934), which decides alone until there is anything
/// to learn from: a model that is wrong costs little, and every link of it keeps being taught. So
/// that it is taught about more than what won so far, its hyper-parameters are drawn anew for each
/// decision, and a share of the steps goes to what is unlike all that was trained to the end
/// (leaps.hpp).
///
/// The price is counted in steps, or, where the budget is one of time, in the seconds that steps
/// are expected to take with each configuration (Snoek et al. 2012, arXiv:1206.2944, section 3.2).

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "optimizer/curves/prospects.hpp"
#include "optimizer/curves/step_cost.hpp"
#include "optimizer/numerics/normal.hpp"
#include "optimizer/numerics/rows.hpp"
#include "optimizer/numerics/turns.hpp"
#include "optimizer/schedulers/ladder.hpp"
#include "optimizer/schedulers/leaps.hpp"
#include "optimizer/schedulers/options.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

enum class CountedIn { automatic, steps, seconds };
constexpr auto enum_names(CountedIn) {
  using enum CountedIn;
  return std::array{EnumName<CountedIn>{automatic, "auto"}, EnumName<CountedIn>{steps, "steps"},
                    EnumName<CountedIn>{seconds, "seconds"}};
}

struct FreezeThawOptions {
  double eta = 3;
  double ladder = 0.25;
  double explore = 0.1;
  CountedIn price = CountedIn::automatic;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &FreezeThawOptions::eta,
                  "Distance of the rungs at which trials pause, as of asha."),
        defaulted("ladder", &FreezeThawOptions::ladder,
                  "Share of the decisions that asha's rule takes and not the model."),
        defaulted("explore", &FreezeThawOptions::explore,
                  "Share of the steps with which trials are trained to the end because they are "
                  "unlike all that were. 0: none."),
        defaulted("price", &FreezeThawOptions::price,
                  "What training costs. steps: one is like another. seconds: as long as a model of "
                  "the times so far expects of the configuration. auto: seconds where `stopping` "
                  "has wall_time, gpu_hours or trainer_hours.")};
  }
};

/// Of the latest, whose time per step a new one is expected to have.
constexpr Eigen::Index kLately = 20;
constexpr std::size_t kTimedTrials = 64;  ///< of the latest, that the model of times learns from

bool counts_seconds(const StoppingSpec& stopping, CountedIn price) {
  if (price != CountedIn::automatic) return price == CountedIn::seconds;
  return stopping.wall_time || stopping.gpu_hours || stopping.trainer_hours;
}

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
        in_seconds_(counts_seconds(spec.stopping, options.price)),
        ladder_(rung_levels(fidelity_.min, fidelity_.max, options.eta), options.eta, 1),
        leaps_(options.explore, ladder_.levels().back(), fidelity_.resumable) {}

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= ladder_.levels().back();
  }
  Step first_goal(const StudyState&, const Trial&) const override {
    return ladder_.levels().front();
  }
  std::optional<RungStanding> standing(TrialId trial) const override {
    return ladder_.standing(trial);
  }
  DecisionBasis basis(const StudyState& state, const Trial& trial) const override;
  RungPlan rungs() const override { return {ladder_.levels(), options_.eta, false, false}; }

 private:
  bool knows_enough() const {
    return static_cast<int>(ladder_.rung(0).size()) >= space_.dims() + 2 &&
           ladder_.rung(ladder_.size() - 1).size() > 0;
  }
  std::optional<Assignment> decide(const StudyState& state, bool may_start) const;
  std::optional<Leap> leap(const StudyState& state) const;
  /// The model, what it says of the trials, and the lowest loss at the end that is known.
  struct Round {
    explicit Round(const FreezeThaw& own, CurveTable curves);
    Round(const Round&) = delete;  // the model holds on to the table
    Round& operator=(const Round&) = delete;
    CurveTable table;
    CurveModel model;
    CurveBeliefs rows;
    std::vector<double> steps;  ///< to each level of the table from the one before
    double best = std::numeric_limits<double>::infinity();
    /// Logarithms of the price of a step: of each row, and of a new trial; empty: all the same.
    Eigen::VectorXd log_steps;
    double log_step_of_new = 0;

    bool prices_seconds() const { return log_steps.size() > 0; }
    /// That a step is expected to take, if that is what it costs.
    std::optional<double> seconds_of(Eigen::Index row) const {
      return prices_seconds() ? std::optional(std::exp(log_steps[row])) : std::nullopt;
    }
    double log_step_of(Eigen::Index row) const { return prices_seconds() ? log_steps[row] : 0; }
    const Trial& trial_of(Eigen::Index row, const StudyState& state) const {
      return state.trials[TrialId{table.trials[static_cast<std::size_t>(row)]}];
    }
  };
  /// The row of a paused trial, and the log of what going on with it is worth.
  struct Choice {
    std::optional<Eigen::Index> row;
    double worth = -std::numeric_limits<double>::infinity();
  };
  bool is_models_turn() const { return knows_enough() && !has_turn(decisions_, options_.ladder); }
  /// Null while no end is known.
  std::unique_ptr<const Round> round(const StudyState& state) const;
  void price_steps(Round& round) const;
  double worth_of_new(const Round& round) const;
  std::optional<Assignment> by_model(const StudyState& state, bool may_start) const;
  Choice best_paused(const StudyState& state, const Round& round, bool may_start,
                     std::optional<TrialId> except = {}) const;
  std::optional<ModelBasis::Rival> rival_of(const Trial& trial, const StudyState& state,
                                            const Round& round) const;
  /// -infinity for what is surely not worth more than `above`, which is quick to see.
  double worth_of(const Round& round, Eigen::Index row,
                  double above = -std::numeric_limits<double>::infinity()) const;
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
  bool in_seconds_;
  Ladder ladder_;
  Leaps leaps_;
  StepTimes times_;
  std::uint64_t decisions_ = 0;  ///< attempts that began
  /// By may_start: what next() answered since the last event. It is asked several times.
  mutable std::array<std::optional<std::optional<Assignment>>, 2> answers_;
  mutable EncodedTrials encoded_;
};

void FreezeThaw::observe(const StudyState& state, const Event& event) {
  answers_ = {};
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    ++decisions_;
    leaps_.observe(*started, ladder_);
  }
  ladder_.observe(state, event);
  if (in_seconds_) times_.observe(state, event);
}

std::optional<Assignment> FreezeThaw::next(const StudyState& state, bool may_start) const {
  auto& answer = answers_[may_start ? 1 : 0];
  if (!answer) answer = decide(state, may_start);
  return *answer;
}

std::optional<Assignment> FreezeThaw::decide(const StudyState& state, bool may_start) const {
  if (const auto chosen = leap(state)) return Resume{chosen->trial, ladder_.levels().back()};
  if (is_models_turn()) {
    if (auto chosen = by_model(state, may_start)) return chosen;
  }
  if (auto chosen = ladder_.promotion_or_new(may_start)) return chosen;
  return ladder_.finish(state);
}

std::optional<Leap> FreezeThaw::leap(const StudyState& state) const {
  if (!knows_enough() || !leaps_.due()) return std::nullopt;
  const std::vector<TrialId> candidates = Leaps::candidates(state, ladder_);
  if (candidates.empty()) return std::nullopt;
  return leaps_.choose(state, candidates, map_,
                       curve_table(space_, fidelity_, state.trials, encoded_));
}

FreezeThaw::Round::Round(const FreezeThaw& own, CurveTable curves)
    : table(std::move(curves)),
      model(own.map_, table, fold_in(fold_in(own.key_, "links"), own.decisions_)),
      rows(model.of_rows()),
      steps(steps_to_levels(table, own.fidelity_.resumable)) {}

std::unique_ptr<const FreezeThaw::Round> FreezeThaw::round(const StudyState& state) const {
  CurveTable table = curve_table(space_, fidelity_, state.trials, encoded_);
  if (table.rows() == 0) return nullptr;
  auto made = std::make_unique<Round>(*this, std::move(table));
  for (Eigen::Index i = 0; i < made->table.rows(); ++i) {
    const bool known = made->rows.variance[i] == 0 && made->trial_of(i, state).violation == 0;
    if (known) made->best = std::min(made->best, made->rows.mean[i]);
  }
  if (!std::isfinite(made->best)) return nullptr;
  price_steps(*made);
  return made;
}

/// Once as many trials have been timed as the curves' model waits for.
void FreezeThaw::price_steps(Round& round) const {
  std::vector<Eigen::Index> rows;
  std::vector<double> logs;
  const auto& ids = round.table.trials;
  for (const auto& [trial, taken] : times_.trials()) {
    const auto found = std::ranges::lower_bound(ids, trial.n);
    if (found == ids.end() || *found != trial.n) continue;
    rows.push_back(std::distance(ids.begin(), found));
    logs.push_back(log_seconds_per_step(taken));
  }
  if (std::ssize(rows) < space_.dims() + 2) return;
  if (rows.size() > kTimedTrials) {
    const auto older = static_cast<std::ptrdiff_t>(rows.size() - kTimedTrials);
    rows.erase(rows.begin(), rows.begin() + older);
    logs.erase(logs.begin(), logs.begin() + older);
  }
  const StepCostModel model(map_, pick_rows(round.table.points, rows),
                            Eigen::Map<const Eigen::VectorXd>(logs.data(), std::ssize(logs)));
  round.log_steps = model.log_seconds(round.table.points);
  const Eigen::Index lately = std::min(kLately, round.log_steps.size());
  // Of seconds, not of their logarithms: the dear ones are what the time goes to.
  round.log_step_of_new = std::log(round.log_steps.tail(lately).array().exp().mean());
}

double FreezeThaw::worth_of_new(const Round& round) const {
  return log_worth_of_new(space_, round.model, round.table, round.rows, round.steps, round.best,
                          fold_in(key_, decisions_)) -
         round.log_step_of_new;
}

double FreezeThaw::worth_of(const Round& round, Eigen::Index row, double above) const {
  constexpr double kNothing = -std::numeric_limits<double>::infinity();
  const std::vector<Stage> way = way_of_row(round.table, round.rows, row, round.steps);
  if (way.empty()) return kNothing;
  const double mean = round.rows.mean[row], log_step = round.log_step_of(row);
  if (log_stopping_index_bound(mean, way, round.best) - log_step <= above) return kNothing;
  return log_stopping_index(mean, way, round.best) - log_step;
}

std::optional<Assignment> FreezeThaw::by_model(const StudyState& state, bool may_start) const {
  const auto now = round(state);
  if (now == nullptr) return std::nullopt;
  const Choice paused = best_paused(state, *now, may_start);
  if (may_start && worth_of_new(*now) >= paused.worth) return StartNew{ladder_.level(0)};
  if (!paused.row) return std::nullopt;
  return to_next_rung(now->trial_of(*paused.row, state));
}

DecisionBasis FreezeThaw::basis(const StudyState& state, const Trial& trial) const {
  if (const auto chosen = leap(state); chosen && chosen->trial == trial.id) {
    return LeapBasis{chosen->distance};
  }
  const int rung = ladder_.rung_of(trial.id);
  if (!is_models_turn() || rung < 0 || rung + 1 == static_cast<int>(ladder_.size())) return {};
  const auto now = round(state);
  if (now == nullptr) return {};
  const auto& ids = now->table.trials;
  const auto found = std::ranges::lower_bound(ids, trial.id.n);
  if (found == ids.end() || *found != trial.id.n) return {};
  const Eigen::Index row = std::distance(ids.begin(), found);
  const double mean = now->rows.mean[row], deviation = std::sqrt(now->rows.variance[row]);
  const CurveScale& scale = now->model.scale();
  ModelBasis basis{scale.loss_of(mean),
                   scale.loss_of(mean - deviation),
                   scale.loss_of(mean + deviation),
                   scale.loss_of(now->best),
                   worth_of(*now, row),
                   worth_of_new(*now)};
  basis.rival = rival_of(trial, state, *now);
  basis.seconds = now->seconds_of(row);
  if (now->prices_seconds()) basis.seconds_new = std::exp(now->log_step_of_new);
  return basis;
}

std::optional<ModelBasis::Rival> FreezeThaw::rival_of(const Trial& trial, const StudyState& state,
                                                      const Round& round) const {
  const Choice rival = best_paused(state, round, true, trial.id);
  if (!rival.row) return std::nullopt;
  return ModelBasis::Rival{round.trial_of(*rival.row, state).id, rival.worth,
                           round.seconds_of(*rival.row)};
}

FreezeThaw::Choice FreezeThaw::best_paused(const StudyState& state, const Round& round,
                                           bool may_start, std::optional<TrialId> except) const {
  Choice out;
  for (Eigen::Index i = 0; i < round.table.rows(); ++i) {
    const Trial& trial = round.trial_of(i, state);
    if (!may_go_on(trial) || trial.id == except) continue;
    const double mean = round.rows.mean[i], variance = round.rows.variance[i];
    // Where no new trial competes for the time, a chance has to be worth it by itself.
    const double z = (round.best - mean) / std::sqrt(variance);
    if (!may_start && log_ndtr(z) < std::log(kLeastChance)) continue;
    const double worth = worth_of(round, i, out.worth);
    if (worth > out.worth) out = {i, worth};
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
  if (!(options.explore >= 0 && options.explore < 1)) {
    diagnostics.error("E0502", "algorithm.scheduler.explore must be at least 0 and below 1",
                      option_mark(node, "explore"), "0.1: a tenth of the steps; 0: none");
    fine = false;
  }
  if (!fine) return nullptr;
  return std::make_unique<FreezeThaw>(context.spec, options);
}

const bool registered = SchedulerRegistry::add<FreezeThawOptions>(
    "freeze-thaw", "A model of the learning curves says which paused trial goes on.", make);

}  // namespace
}  // namespace betatune
