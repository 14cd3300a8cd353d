/// Asynchronous Hyperband that learns how early trials can be compared (Hyper-Tune, Li et al. 2022,
/// arXiv:2201.06834).
///
/// There is one ladder of rungs. A new trial begins at a rung that is drawn by weights: as in
/// Hyperband's table at first, later by how well each rung's results predict the order at higher
/// ones, and what it costs (bracket_weights.hpp). A trial pauses at each rung; the best of the top
/// 1/eta goes on if with it no more than 1/eta of the rung's trials have gone on ("D-ASHA" in the
/// paper): where asha promotes everybody who was among the best at some time, this waits for as
/// many results as that is worth.
///
/// `weights: hyperband` leaves it at Hyperband's table: asynchronous Hyperband, all of whose
/// brackets share the ladder.
///
/// The weights follow from the log: from the results that there were when the highest measured rung
/// got its newest one. They are computed when somebody asks, and kept until such a result comes.

#include <algorithm>
#include <fmt/format.h>

#include "optimizer/curves/encoded_trials.hpp"
#include "optimizer/gp/model.hpp"
#include "optimizer/schedulers/bracket_weights.hpp"
#include "optimizer/schedulers/ladder.hpp"
#include "optimizer/schedulers/options.hpp"
#include "optimizer/searchers/design.hpp"

namespace betatune {
namespace {

enum class WeightsFrom { learned, hyperband };
constexpr auto enum_names(WeightsFrom) {
  using enum WeightsFrom;
  return std::array{EnumName<WeightsFrom>{learned, "learned"},
                    EnumName<WeightsFrom>{hyperband, "hyperband"}};
}

struct HyperTuneOptions {
  double eta = 3;
  WeightsFrom weights = WeightsFrom::learned;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &HyperTuneOptions::eta, "One in eta goes on at each rung; 3 or 4."),
        defaulted("weights", &HyperTuneOptions::weights,
                  "How often new trials begin at which rung. learned: by how well it predicts the "
                  "higher ones. hyperband: as often as in Hyperband's table, always.")};
  }
};

class HyperTune final : public Scheduler {
 public:
  HyperTune(const StudySpec& spec, const HyperTuneOptions& options)
      : eta_(options.eta),
        learns_(options.weights == WeightsFrom::learned),
        space_(spec.space),
        key_(fold_in(study_key(spec), "hyper-tune")),
        map_(spec.space.columns()),
        ladder_(rung_levels(spec.fidelity->min, spec.fidelity->max, eta_), eta_, 1),
        promoted_(ladder_.size()),
        counts_(ladder_.size()) {}

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Step first_goal(const StudyState& state, const Trial&) const override {
    return first_level(state);
  }
  Verdict judge(const StudyState&, const Trial&, const Observation&) const override { return {}; }
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= ladder_.levels().back();
  }
  std::string outlook(const StudyState& state) const override;
  std::optional<RungStanding> standing(TrialId trial) const override {
    return ladder_.standing(trial);
  }
  RungPlan rungs() const override { return {ladder_.levels(), eta_, false, false}; }

 private:
  void start(const AttemptStarted& started);
  void reach(const StudyState& state, const Trial& trial);
  std::optional<Assignment> promotion() const;
  Step first_level(const StudyState& state) const;
  const std::vector<double>& weights(const StudyState& state) const;
  std::vector<double> learned(const StudyState& state) const;

  double eta_;
  bool learns_;
  SearchSpace space_;
  Key key_;
  FeatureMap map_;
  Ladder ladder_;
  std::vector<std::set<TrialId>> promoted_;  ///< by the rung that they left
  std::vector<RungMeasurement> measured_;    ///< in the order of the log
  std::vector<std::size_t> counts_;          ///< of them, by rung
  std::size_t basis_ = 0;                    ///< the weights follow from so many of them
  std::uint64_t begun_ = 0;                  ///< trials
  mutable EncodedTrials encoded_;
  mutable std::optional<std::size_t> weighed_;  ///< the basis of:
  mutable std::vector<double> weights_;
};

void HyperTune::observe(const StudyState& state, const Event& event) {
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    start(*started);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end == AttemptEnd::reached) reach(state, state.trials[ended->trial]);
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    if (!ladder_.close(*closed)) return;
    for (std::set<TrialId>& each : promoted_) each.erase(closed->trial);
  }
}

void HyperTune::start(const AttemptStarted& started) {
  ladder_.start(started);
  if (started.attempt.n == 1) ++begun_;
  const int to = rung_at(ladder_.levels(), started.until);
  for (std::size_t rung = 0; static_cast<int>(rung) < to; ++rung) {
    if (ladder_.rung(rung).has(started.trial)) promoted_[rung].insert(started.trial);
  }
}

void HyperTune::reach(const StudyState& state, const Trial& trial) {
  const int at = rung_at(ladder_.levels(), trial.until);
  if (!ladder_.record(state, trial, at, trial.loss) || !trial.loss || !learns_) return;
  const auto rung = static_cast<std::size_t>(at);
  measured_.push_back({trial.id, rung, *trial.loss, trial.violation});
  const auto count = static_cast<Eigen::Index>(++counts_[rung]);
  const std::size_t modelled = modelled_rungs(counts_);
  if (modelled < 2 || rung + 1 != modelled) return;
  if (refit_size(count) == count) basis_ = measured_.size();
}

std::optional<Assignment> HyperTune::promotion() const {
  for (std::size_t rung = ladder_.size() - 1; rung-- > 0;) {
    const Rung& results = ladder_.rung(rung);
    if (promoted_[rung].size() + 1 > results.top_size()) continue;
    if (const auto best = results.promotable()) return Resume{*best, ladder_.level(rung + 1)};
  }
  return std::nullopt;
}

std::optional<Assignment> HyperTune::next(const StudyState& state, bool may_start) const {
  if (auto promoted = promotion()) return promoted;
  if (may_start) return StartNew{first_level(state)};
  return ladder_.finish(state);
}

/// Drawn under the number of the trial that begins.
Step HyperTune::first_level(const StudyState& state) const {
  const double uniform = Stream(fold_in(fold_in(key_, "bracket"), begun_)).uniform();
  return ladder_.level(draw_rung(weights(state), uniform));
}

const std::vector<double>& HyperTune::weights(const StudyState& state) const {
  if (weighed_ == basis_) return weights_;
  weights_ =
      bracket_weights(learned(state), ladder_.levels(), hyperband_shares(ladder_.size(), eta_));
  weighed_ = basis_;
  return weights_;
}

std::vector<double> HyperTune::learned(const StudyState& state) const {
  encoded_.expect(state.trials.size());
  std::vector<RungMeasurement> placed;
  std::vector<const Eigen::VectorXd*> rows;
  for (std::size_t i = 0; i < basis_; ++i) {
    const auto& point = encoded_.at(space_, state.trials[measured_[i].trial]);
    if (!point) continue;
    placed.push_back(measured_[i]);
    rows.push_back(&*point);
  }
  RowMatrix points(std::ssize(rows), space_.dims());
  for (Eigen::Index i = 0; i < points.rows(); ++i) {
    points.row(i) = *rows[static_cast<std::size_t>(i)];
  }
  return rung_reliability(map_, space_.columns(), placed, points,
                          fold_in(fold_in(key_, "weights"), basis_));
}

std::string HyperTune::outlook(const StudyState& state) const {
  std::string text;
  for (std::size_t i = 0; i < ladder_.size(); ++i) {
    text += fmt::format("{}{} ({:.0f} %)", i == 0 ? "" : ", ", ladder_.level(i),
                        100 * weights(state)[i]);
  }
  return fmt::format(
      "a new trial begins with {} steps, drawn by weights {}", text,
      basis_ == 0 ? "as in Hyperband" : fmt::format("learned from {} results", basis_));
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const HyperTuneOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("hyper-tune", context.spec, node, diagnostics) && fine;
  fine = check_one_objective("hyper-tune", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  return std::make_unique<HyperTune>(context.spec, options);
}

const bool registered = SchedulerRegistry::add<HyperTuneOptions>(
    "hyper-tune", "Hyperband without waiting, whose brackets are drawn by learned weights.", make);

}  // namespace
}  // namespace betatune
