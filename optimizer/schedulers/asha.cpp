/// Successive halving without waiting (ASHA, Li et al. 2020, arXiv:1810.05934).
///
/// mode promote: a trial pauses at each rung; whenever a slot is free, the best paused trial among
/// the top 1/eta of the highest rung that has one goes on, and if there is none, a new trial
/// starts. Where the trainer cannot resume (`fidelity.resumable: false`), a promoted trial trains
/// again from the start. mode stop: a trial starts towards the full budget and is stopped at the
/// first rung where it is not among the top 1/eta of the results so far; the first results of a
/// rung (fewer than eta) pass.

#include "optimizer/schedulers/options.hpp"
#include "optimizer/schedulers/rungs.hpp"

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
  Asha(const AshaOptions& options, std::vector<Step> levels)
      : options_(options), levels_(std::move(levels)), rungs_(levels_.size(), Rung(options.eta)) {}

  void observe(const StudyState& state, const Event& event) override;
  std::optional<Assignment> next(const StudyState& state, bool may_start) const override;
  Verdict judge(const StudyState& state, const Trial& trial,
                const Observation& observation) const override;
  bool completes(const StudyState&, const Trial& trial) const override {
    return trial.until >= levels_.back();
  }
  std::string describe(const StudyState&, const Trial& trial) const override;

 private:
  bool stops() const { return options_.mode == AshaMode::stop; }
  void record(const Trial& trial, int rung, std::optional<double> loss);
  void close(const TrialClosed& closed);
  std::optional<Assignment> finish(const StudyState& state) const;

  AshaOptions options_;
  std::vector<Step> levels_;
  std::vector<Rung> rungs_;
  std::map<TrialId, int> highest_;  ///< rung of a trial's newest result
};

void Asha::record(const Trial& trial, int rung, std::optional<double> loss) {
  if (rung < 0) return;
  const auto [found, first] = highest_.emplace(trial.id, rung);
  if (!first && found->second >= rung) return;  // a retried attempt reports its first steps again
  found->second = rung;
  rungs_[static_cast<std::size_t>(rung)].add(trial.id, loss, trial.violation);
}

void Asha::close(const TrialClosed& closed) {
  // A failure says nothing about the others' rank; a finished or stopped trial stays comparable.
  const bool leaves = closed.outcome == Outcome::failed || closed.outcome == Outcome::cancelled;
  for (Rung& rung : rungs_) leaves ? rung.remove(closed.trial) : rung.take(closed.trial);
}

void Asha::observe(const StudyState& state, const Event& event) {
  if (const auto* started = std::get_if<AttemptStarted>(&event.fact)) {
    // Taken from the rungs below the one that it goes to.
    const int to = rung_at(levels_, started->until);
    for (int rung = 0; rung < to; ++rung) {
      rungs_[static_cast<std::size_t>(rung)].take(started->trial);
    }
  } else if (const auto* reported = std::get_if<Reported>(&event.fact); reported && stops()) {
    if (!reported->loss && !reported->diverged) return;  // other metrics are no result
    record(state.trials[reported->trial], rung_at(levels_, reported->step), reported->loss);
  } else if (const auto* ended = std::get_if<AttemptEnded>(&event.fact)) {
    if (ended->end == AttemptEnd::reached) {
      const Trial& trial = state.trials[ended->trial];
      record(trial, rung_at(levels_, trial.until), trial.loss);
    }
  } else if (const auto* closed = std::get_if<TrialClosed>(&event.fact)) {
    close(*closed);
  }
}

std::optional<Assignment> Asha::next(const StudyState& state, bool may_start) const {
  if (stops()) {
    if (may_start) return StartNew{levels_.back()};
    return std::nullopt;
  }
  for (std::size_t rung = levels_.size() - 1; rung-- > 0;) {
    if (const auto best = rungs_[rung].promotable()) return Resume{*best, levels_[rung + 1]};
  }
  if (may_start) return StartNew{levels_.front()};
  return options_.finish ? finish(state) : std::nullopt;
}

/// A study of few trials may end with nobody on the last rung: its user wants one trained model.
std::optional<Assignment> Asha::finish(const StudyState& state) const {
  if (!state.running.empty() || !state.waiting.empty() || rungs_.back().size() > 0) {
    return std::nullopt;
  }
  for (std::size_t rung = levels_.size() - 1; rung-- > 0;) {
    if (const auto best = rungs_[rung].best_open()) return Resume{*best, levels_.back()};
  }
  return std::nullopt;
}

Verdict Asha::judge(const StudyState&, const Trial& trial, const Observation& observation) const {
  if (!stops()) return {};
  const auto found = highest_.find(trial.id);
  const int at = rung_at(levels_, observation.step);
  if (found == highest_.end() || found->second != at) return {};
  const Rung& rung = rungs_[static_cast<std::size_t>(at)];
  const bool last = static_cast<std::size_t>(at) + 1 == levels_.size();
  if (last || rung_quota(rung.size(), options_.eta) == 0 || rung.in_top(trial.id)) return {};
  return {Action::stop, "not among the best 1/" + to_text(Value(options_.eta)) + " of " +
                            std::to_string(rung.size()) + " trials at step " +
                            std::to_string(levels_[static_cast<std::size_t>(at)])};
}

std::string Asha::describe(const StudyState&, const Trial& trial) const {
  const auto found = highest_.find(trial.id);
  if (found == highest_.end()) return {};
  return "rung " + std::to_string(found->second + 1) + " of " + std::to_string(levels_.size()) +
         " (step " + std::to_string(levels_[static_cast<std::size_t>(found->second)]) + ")";
}

std::unique_ptr<Scheduler> make(const PolicyContext& context, const AshaOptions& options,
                                const ConfigNode& node, Diagnostics& diagnostics) {
  bool fine = check_eta(options.eta, node, diagnostics);
  fine = check_fidelity("asha", context.spec, node, diagnostics) && fine;
  if (!fine) return nullptr;
  const FidelitySpec& fidelity = *context.spec.fidelity;
  return std::make_unique<Asha>(options, rung_levels(fidelity.min, fidelity.max, options.eta));
}

const bool registered = SchedulerRegistry::add<AshaOptions>(
    "asha", "Asynchronous successive halving: the best of each rung go on at once.", make);

}  // namespace
}  // namespace betatune
