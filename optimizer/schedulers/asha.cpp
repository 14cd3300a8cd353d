/// Successive halving without waiting (ASHA, Li et al. 2020, arXiv:1810.05934).
///
/// mode promote: a trial pauses at each rung; whenever a slot is free, the best paused trial among
/// the top 1/eta of the highest rung that has one goes on, and if there is none, a new trial
/// starts. Where the trainer cannot resume (`fidelity.resumable: false`), a promoted trial trains
/// again from the start. mode stop: a trial starts towards the full budget and is stopped at the
/// first rung where it is not among the top 1/eta of the results so far; the first results of a
/// rung (fewer than eta) pass.
///
/// With several objectives the best are those of the first fronts (MO-ASHA, Schmucker et al. 2021,
/// arXiv:2106.12639).

#include "optimizer/schedulers/ladder.hpp"
#include "optimizer/schedulers/options.hpp"

namespace betatune {
namespace {

enum class AshaMode { promote, stop };
constexpr auto enum_names(AshaMode) {
  return std::array{EnumName<AshaMode>{AshaMode::promote, "promote"},
                    EnumName<AshaMode>{AshaMode::stop, "stop"}};
}

struct AshaOptions {
  double eta = 3;
  AshaMode mode = AshaMode::promote;
  bool finish = true;
  static constexpr auto fields() {
    return std::tuple{
        defaulted("eta", &AshaOptions::eta, "One in eta goes on at each rung. 3 or 4 suit most."),
        defaulted("mode", &AshaOptions::mode,
                  "promote: trials pause at each rung and the best go on. stop: trials run on and "
                  "the others are stopped, for trainers that cannot resume."),
        defaulted("finish", &AshaOptions::finish,
                  "When the budget is used and no trial was trained fully, train the best one of "
                  "the highest rung to the end (promote only).")};
  }
};

class Asha final : public Scheduler {
 public:
  Asha(const AshaOptions& options, std::vector<Step> levels, std::size_t objectives)
      : options_(options),
        objectives_(objectives),
        ladder_(std::move(levels), options.eta, objectives) {}

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState& state, const Trial& trial,
                const Observation& observation) const override;
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= ladder_.levels().back();
  }
  Step first_goal(const StudyState&, const Trial&) const override {
    return stops() ? ladder_.levels().back() : ladder_.levels().front();
  }
  std::optional<RungStanding> standing(TrialId trial) const override {
    return ladder_.standing(trial);
  }
  RungPlan rungs() const override { return {ladder_.levels(), options_.eta, stops(), false}; }

 private:
  bool stops() const { return options_.mode == AshaMode::stop; }
  void pass(const StudyState& state, const Reported& reported);

  AshaOptions options_;
  std::size_t objectives_;
  Ladder ladder_;
};

/// A trial that runs on is at a rung as soon as all that trials are compared by is known. What else
/// is reported is no result; objectives may be reported one after the other.
void Asha::pass(const StudyState& state, const Reported& reported) {
  const Trial& trial = state.trials[reported.trial];
  std::optional<double> loss = reported.loss;
  if (objectives_ > 1) {
    loss = trial.loss_at(reported.step);
    if (known_losses(state, trial, loss, objectives_).empty()) loss.reset();
  }
  if (!loss && !reported.diverged) return;
  ladder_.record(state, trial, rung_at(ladder_.levels(), reported.step), loss);
}

void Asha::observe(const StudyState& state, const Event& event) {
  ladder_.observe(state, event);
  const auto* reported = std::get_if<Reported>(&event.fact);
  if (reported != nullptr && stops()) pass(state, *reported);
}

std::optional<Assignment> Asha::next(const StudyState& state, bool may_start) const {
  if (stops()) {
    if (may_start) return StartNew{ladder_.levels().back()};
    return std::nullopt;
  }
  if (auto chosen = ladder_.promotion_or_new(may_start)) return chosen;
  return options_.finish ? ladder_.finish(state) : std::nullopt;
}

Verdict Asha::judge(const StudyState&, const Trial& trial, const Observation& observation) const {
  if (!stops()) return {};
  const int at = rung_at(ladder_.levels(), observation.step);
  if (at < 0 || ladder_.rung_of(trial.id) != at) return {};
  const Rung& rung = ladder_.rung(static_cast<std::size_t>(at));
  const bool last = static_cast<std::size_t>(at) + 1 == ladder_.size();
  if (last || rung_quota(rung.size(), options_.eta) == 0 || rung.in_top(trial.id)) return {};
  return {Action::stop, "not among the best 1/" + to_text(Value(options_.eta)) + " of " +
                            std::to_string(rung.size()) + " trials at step " +
                            std::to_string(ladder_.level(static_cast<std::size_t>(at)))};
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const AshaOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("asha", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  return std::make_unique<Asha>(options, rung_levels(fidelity.min, fidelity.max, options.eta),
                                context.spec.objectives.size());
}

const bool registered = SchedulerRegistry::add<AshaOptions>(
    "asha", "Asynchronous successive halving: the best of each rung go on at once.", make);

}  // namespace
}  // namespace betatune
