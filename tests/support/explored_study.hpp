#pragma once
/// One state of a small study under a scheduler, made from its log, and what may happen to it next.
/// Whoever explores all states takes every step that there is (tests/property/optimizer).

#include <algorithm>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <map>
#include <span>

#include "optimizer/hash.hpp"
#include "optimizer/schedulers/rungs.hpp"
#include "tests/support/scheduler_world.hpp"

namespace betatune::support {

/// What may happen.
enum class Happening {
  ask,          ///< a free slot asks for work, and begins it
  ask_only,     ///< the same, but its optimizer is killed when the new trial is in the log; one
                ///< that the trial replaces ends at the restart, if it had not yet
  report,       ///< a loss at the next level
  diverge,      ///< a loss that is not finite; the trial fails
  done,         ///< the attempt is at its goal
  lose,         ///< the worker is lost; the first time the trial is tried again
  fail,         ///< by its own fault
  find_damage,  ///< the checkpoint that it resumes from cannot be read
  stop_paused,  ///< a person stops a paused trial
  enqueue,      ///< a person asks for a configuration
};

/// What a study without trouble has none of.
inline constexpr Happening kTroubles[] = {Happening::ask_only,    Happening::diverge,
                                          Happening::lose,        Happening::fail,
                                          Happening::find_damage, Happening::stop_paused};

struct Move {
  Happening what = Happening::ask;
  TrialId trial;
  double loss = 0;
};

/// A small study.
struct SmallStudy {
  StudySpec spec;
  std::vector<Step> levels;  ///< at which losses are reported
  int trials = 3;            ///< the budget
  int slots = 2;
  std::vector<double> losses = {0, 1};
  std::vector<Happening> happenings = {std::begin(kTroubles), std::end(kTroubles)};
  int troubles = 1;  ///< at most, in one life of the study
  /// May be asked for once; not a trouble.
  std::optional<Configuration> wish = {};
};

/// What a scheduler remembers of the log beside what became of each trial.
struct Memory {
  bool of_order = false;     ///< in which order results came, trials ended and wishes began
  bool of_attempts = false;  ///< how many attempts began
};

/// What the log says of the rungs, without the scheduler: results of trials that did not fail.
struct RungLedger {
  std::map<Step, std::map<TrialId, double>> results;
  std::vector<TrialId> begun;
  std::set<TrialId> ended;  ///< closed

  /// Of the results at a level, best first.
  std::vector<TrialId> ranking(Step level) const {
    std::vector<std::pair<double, TrialId>> sorted;
    if (const auto found = results.find(level); found != results.end()) {
      for (const auto& [trial, loss] : found->second) sorted.emplace_back(loss, trial);
    }
    std::sort(sorted.begin(), sorted.end());
    std::vector<TrialId> out;
    for (const auto& [loss, trial] : sorted) out.push_back(trial);
    return out;
  }
};

class ExploredStudy {
 public:
  ExploredStudy(const SmallStudy& study, std::span<const std::vector<Fact>* const> log)
      : study_(study), scheduler_(scheduler_of(study.spec)) {
    for (const auto* facts : log) {
      for (const Fact& fact : *facts) fold(fact);
    }
  }
  static std::vector<Fact> beginning(const SmallStudy& study) {
    const Json document{{"fidelity", {{"max", study.spec.full_budget()}}},
                        {"objectives", {{{"metric", "loss"}}}}};
    return {StudyCreated{kLogSchema, "small", document, 1, ""}, OptimizerStarted{1, ""}};
  }

  const StudyState& state() const { return state_; }
  const Scheduler& scheduler() const { return *scheduler_; }
  const RungLedger& ledger() const { return ledger_; }
  /// Emitted since it was made.
  const std::vector<Fact>& news() const { return news_; }
  bool may_start() const { return static_cast<int>(state_.trials.size()) < study_.trials; }
  bool is_idle() const { return state_.running.empty() && state_.waiting.empty(); }

  std::vector<Move> moves() const {
    std::vector<Move> all;
    const auto may = [&](Happening what) {
      return std::ranges::find(study_.happenings, what) != study_.happenings.end();
    };
    const bool free = static_cast<int>(state_.running.size()) < study_.slots;
    if (free && (!state_.waiting.empty() || scheduler_->next(state_, may_start()))) {
      all.push_back({Happening::ask, {}, 0});
      if (may(Happening::ask_only) && state_.waiting.empty()) {
        const auto answer = scheduler_->next(state_, may_start());
        if (!std::holds_alternative<Resume>(*answer)) all.push_back({Happening::ask_only, {}, 0});
      }
    }
    if (study_.wish && !wished_) all.push_back({Happening::enqueue, {}, 0});
    for (const TrialId id : state_.running) add_moves_of(state_.trials[id], may, all);
    for (const TrialId id : state_.paused) {
      if (may(Happening::stop_paused)) all.push_back({Happening::stop_paused, id, 0});
    }
    return all;
  }

  void take(const Move& move) {
    switch (move.what) {
      case Happening::ask:
        return ask(false);
      case Happening::ask_only:
        return ask(true);
      case Happening::report:
        return report(state_.trials[move.trial], move.loss);
      case Happening::diverge:
        return diverge(state_.trials[move.trial]);
      case Happening::done:
        return done(state_.trials[move.trial]);
      case Happening::lose:
        return end(move.trial, AttemptEnd::lost, FailureClass::infra, true);
      case Happening::fail:
        return end(move.trial, AttemptEnd::failed, FailureClass::user, true);
      case Happening::find_damage:
        return end(move.trial, AttemptEnd::failed, FailureClass::checkpoint, false);
      case Happening::stop_paused:
        return emit(TrialClosed{move.trial, Outcome::stopped, state_.trials[move.trial].loss});
      case Happening::enqueue:
        return emit(ConfigurationEnqueued{*study_.wish});
    }
  }

  /// Everything that decisions, and what may happen, follow from: not how many attempts it took,
  /// nor in which order things came, but for schedulers that remember that.
  std::uint64_t key(const Memory& memory, int troubles) const {
    Hasher hash;
    hash.add(std::int64_t{troubles}).add(std::int64_t{wished_});
    hash.add(static_cast<std::uint64_t>(state_.enqueued.size()));
    for (const Trial& trial : state_.trials) add(trial, hash);
    if (memory.of_order) hash.add(order_);
    if (memory.of_attempts) {
      for (const Trial& trial : state_.trials) hash.add(trial.attempt.n);
    }
    return hash.value();
  }

 private:
  static void add(const Trial& trial, Hasher& hash) {
    hash.add(*trial.configuration).add(static_cast<std::uint64_t>(trial.state));
    hash.add(trial.outcome ? 1 + static_cast<std::int64_t>(*trial.outcome) : std::int64_t{0});
    hash.add(trial.from).add(trial.until).add(trial.step).add(std::int64_t{trial.last_seq > 0});
    hash.add(std::int64_t{trial.decided.has_value()});
    for (const auto& [failure, count] : trial.failures) {
      hash.add(static_cast<std::int64_t>(failure)).add(std::int64_t{count});
    }
    for (const Observation& each : trial.observations) {
      if (each.loss) hash.add(each.step).add(*each.loss);
    }
    for (const OlderCheckpoint& each : trial.older_checkpoints) {
      hash.add(std::string_view(each.artifact.uri)).add(std::int64_t{each.of_rung});
    }
    hash.add(std::string_view(trial.checkpoint ? trial.checkpoint->uri : ""));
    hash.add(std::int64_t{trial.at_rung});
    if (trial.parent) hash.add(trial.parent->trial.n).add(trial.parent->step);
    if (trial.replaced_by) hash.add(trial.replaced_by->n);
  }

  template <class May>
  void add_moves_of(const Trial& trial, const May& may, std::vector<Move>& all) const {
    if (trial.decided || trial.step >= trial.until) {
      all.push_back({Happening::done, trial.id, 0});
    } else {
      // The same training comes to the same loss again.
      const auto known = trial.loss_at(next_level(trial));
      for (const double loss : study_.losses) {
        if (!known || *known == loss) all.push_back({Happening::report, trial.id, loss});
      }
      if (may(Happening::diverge) && !known) all.push_back({Happening::diverge, trial.id, 0});
      const bool resumed = trial.from > 0 && trial.last_seq == 0;
      if (resumed && may(Happening::find_damage)) {
        all.push_back({Happening::find_damage, trial.id, 0});
      }
    }
    if (trial.decided) return;
    if (may(Happening::lose)) all.push_back({Happening::lose, trial.id, 0});
    if (may(Happening::fail)) all.push_back({Happening::fail, trial.id, 0});
  }

  Step next_level(const Trial& trial) const {
    return *std::upper_bound(study_.levels.begin(), study_.levels.end(), trial.step);
  }

  void ask(bool killed) {
    if (!state_.waiting.empty()) {
      const Trial& trial = state_.trials[*state_.waiting.begin()];
      return start(trial.id, trial.until > 0 ? trial.until : scheduler_->first_goal(state_, trial));
    }
    const auto answer = scheduler_->next(state_, may_start());
    if (const auto* resume = std::get_if<Resume>(&*answer)) {
      return start(resume->trial, resume->until);
    }
    const TrialId id{state_.trials.size()};
    if (const auto* exploit = std::get_if<Exploit>(&*answer)) {
      const char* origin = exploit->enqueued ? kEnqueuedOrigin : kExploitOrigin;
      TrialCreated fact{id, exploit->configuration, origin, {}, exploit->note};
      fact.parent = exploit->parent;
      emit(std::move(fact));
      const auto& ends = exploit->parent.replaces;
      if (ends && state_.trials[*ends].state != TrialState::closed) {
        emit(TrialClosed{*ends, Outcome::stopped, state_.trials[*ends].loss});
      }
      if (!killed) start(id, exploit->until);
      return;
    }
    begin(id, std::get<StartNew>(*answer), killed);
  }

  void begin(TrialId id, const StartNew& asked, bool killed) {
    if (asked.replaces) {
      emit(TrialClosed{*asked.replaces, Outcome::stopped, state_.trials[*asked.replaces].loss});
    }
    if (state_.enqueued.empty()) {
      emit(TrialCreated{id, {{"x", 0.1 + 0.2 * static_cast<double>(id.n)}}, "test", {}, {}});
    } else {
      emit(TrialCreated{id, state_.enqueued.front(), kEnqueuedOrigin, {}, {}});
    }
    if (!killed) start(id, asked.until);
  }

  void start(TrialId id, Step until) {
    const Trial& trial = state_.trials[id];
    const Step from = trial.checkpoint ? trial.checkpoint->step : 0;
    emit(AttemptStarted{id, AttemptId{trial.attempt.n + 1}, "t", from, until, trial.checkpoint});
  }

  void report(const Trial& trial, double loss) {
    const Step step = next_level(trial);
    emit(
        Reported{trial.id, trial.attempt, trial.last_seq + 1, step, {{"loss", loss}}, loss, false});
    if (step >= trial.until) return;
    const Verdict verdict = scheduler_->judge(state_, trial, *trial.observed_at(step));
    if (verdict.action == Action::go_on) return;
    emit(Decided{trial.id, trial.attempt, verdict.action, step, "scheduler", verdict.reason});
  }

  void diverge(const Trial& trial) {
    emit(Reported{trial.id, trial.attempt, trial.last_seq + 1, next_level(trial), {}, {}, true});
    end(trial.id, AttemptEnd::failed, FailureClass::diverged, true);
  }

  void done(const Trial& trial) {
    const TrialId id = trial.id;
    const AttemptId attempt = trial.attempt;
    const Step step = trial.step;
    const std::string uri = fmt::format("trial-{}/step-{}", id.n, step);
    emit(CheckpointSaved{id, attempt, ArtifactRef{uri, step, 1}});
    if (state_.trials[id].decided) {
      emit(AttemptEnded{id, attempt, AttemptEnd::stopped, step, {}, "", true});
      return emit(TrialClosed{id, Outcome::stopped, state_.trials[id].loss});
    }
    emit(AttemptEnded{id, attempt, AttemptEnd::reached, step, {}, "", true});
    if (!scheduler_->completes(state_, state_.trials[id])) return;
    emit(TrialClosed{id, Outcome::completed, state_.trials[id].loss});
  }

  /// One retry after a lost worker, none after a fault of its own.
  void end(TrialId id, AttemptEnd how, FailureClass failure, bool charged) {
    const Trial& trial = state_.trials[id];
    emit(AttemptEnded{id, trial.attempt, how, trial.step, failure, "", charged});
    if (!charged) return;
    const int allowed = failure == FailureClass::infra ? 1 : 0;
    if (state_.trials[id].failures.at(failure) > allowed) {
      emit(TrialClosed{id, Outcome::failed, {}});
    }
  }

  void emit(Fact fact) {
    fold(fact);
    news_.push_back(std::move(fact));
  }

  void fold(const Fact& fact) {
    const Event event{state_.seq + 1, 0, fact};
    const Status applied = apply(state_, event);
    ASSERT_TRUE(applied) << applied.error().message;
    scheduler_->observe(state_, event);
    remember(fact);
  }

  void remember(const Fact& fact) {
    const auto order = [&](std::uint64_t trial, Step step) {
      order_ = (order_ + trial * 64 + static_cast<std::uint64_t>(step) + 1) * 0x100000001b3u;
    };
    if (const auto* started = std::get_if<AttemptStarted>(&fact)) {
      if (started->attempt.n == 1) ledger_.begun.push_back(started->trial);
    } else if (const auto* reported = std::get_if<Reported>(&fact)) {
      // Only a scheduler that judges trials on their way compares what they report there.
      if (scheduler_->rungs().passing && reported->loss) {
        ledger_.results[reported->step].emplace(reported->trial, *reported->loss);
      }
    } else if (const auto* ended = std::get_if<AttemptEnded>(&fact)) {
      if (ended->end != AttemptEnd::reached) return;
      order(ended->trial.n, ended->step);
      ledger_.results[ended->step].emplace(ended->trial, *state_.trials[ended->trial].loss);
    } else if (std::holds_alternative<ConfigurationEnqueued>(fact)) {
      wished_ = true;
    } else if (const auto* created = std::get_if<TrialCreated>(&fact)) {
      // Whether it takes a place or makes one more follows from who had ended before.
      if (created->origin == kEnqueuedOrigin) order(created->trial.n, 62);
    } else if (const auto* closed = std::get_if<TrialClosed>(&fact)) {
      order(closed->trial.n, 63);
      ledger_.ended.insert(closed->trial);
      if (closed->outcome != Outcome::failed) return;
      for (auto& [level, results] : ledger_.results) results.erase(closed->trial);
    }
  }

  const SmallStudy& study_;
  std::unique_ptr<Scheduler> scheduler_;
  StudyState state_;
  RungLedger ledger_;
  std::vector<Fact> news_;
  std::uint64_t order_ = 0;
  bool wished_ = false;
};

}  // namespace betatune::support
