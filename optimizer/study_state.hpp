#pragma once
/// The fold of a study's events, and the one transition table: which fact may follow which state.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "optimizer/budgets.hpp"
#include "optimizer/event.hpp"
#include "optimizer/outcomes.hpp"
#include "optimizer/width_rates.hpp"

namespace betatune {

/// created: never run, or to be run again (after a loss or a retried failure).
/// running: its current attempt is alive as far as we know.
/// paused: reached a step below the full budget; a scheduler may promote it.
/// closed: ended for good.
enum class TrialState { created, running, paused, closed };
constexpr auto enum_names(TrialState) {
  using enum TrialState;
  return std::array{EnumName<TrialState>{created, "waiting"},
                    EnumName<TrialState>{running, "running"},
                    EnumName<TrialState>{paused, "paused"}, EnumName<TrialState>{closed, "closed"}};
}

struct Observation {
  Step step = 0;
  AttemptId attempt;
  std::optional<double> loss;  ///< to be minimised
  bool diverged = false;
  std::int64_t at_us = 0;
  std::vector<double> outcomes = {};  ///< as they were known then; see Outcomes::read()
};

/// What a trial counts for when trials are compared: its loss where its last attempt ended in
/// order.
struct Standing {
  Step level = 0;  ///< highest step with a loss, at most the full budget
  double loss = 0;
  double violation = 0;    ///< of the outcome constraints: 0 if all are met
  bool confirmed = false;  ///< the mean of trainings made to confirm it
  bool operator==(const Standing&) const = default;
  /// What was confirmed goes first. Then more training, because losses after different lengths of
  /// it do not compare; then what breaks limits by less, then the lower loss.
  bool before(const Standing& other) const;
};

/// How many of a trial's checkpoints before the newest are remembered.
inline constexpr std::size_t kOlderCheckpoints = 8;

struct OlderCheckpoint {
  ArtifactRef artifact;
  bool of_rung = false;  ///< an attempt reached its goal there
};

struct Trial {
  TrialId id;
  std::shared_ptr<const Configuration> configuration;
  std::string origin;
  /// The trial whose configuration this one trains again, which then counts for both.
  std::optional<TrialId> repeats;
  std::vector<TrialId> repeated_by;  ///< the trials that train this one's configuration again
  /// It began with the checkpoint of another trial, as far as that one had been trained.
  std::optional<Parent> parent;
  std::vector<TrialId> copied_by;      ///< the trials whose parent it is
  std::optional<TrialId> replaced_by;  ///< it ends, or has ended, for that one
  std::shared_ptr<const Json> note;    ///< what its searcher wanted remembered; null if nothing
  TrialState state = TrialState::created;
  std::optional<Outcome> outcome;
  /// One per step, of the attempt that reported it last; ascending steps. An attempt that resumes
  /// from an older checkpoint replaces what was reported beyond it, step by step as it gets there.
  std::vector<Observation> observations;
  Metrics last_metrics;  ///< of the report with the highest step
  AttemptId attempt;     ///< current or last attempt, 0 before the first
  TrainerId trainer;
  std::uint64_t last_seq = 0;     ///< of the current attempt
  Step from = 0;                  ///< of the current attempt
  Step until = 0;                 ///< of the current attempt
  Step step = 0;                  ///< highest step that the current attempt reached
  Step trained = 0;               ///< steps that the current attempt trained, `until` at most
  int gpus = 0;                   ///< of the current attempt
  int ranks = 0;                  ///< of the current attempt, if they were chosen for it; else 0
  std::int64_t began_us = 0;      ///< StudyState::active_us when the current attempt started
  std::optional<Action> decided;  ///< stop or pause, of the current attempt
  std::string decided_by;         ///< scheduler, user, optimizer or drain
  bool diverged = false;          ///< the current attempt reported an objective that is not finite
  std::optional<AttemptEnd> last_end;
  std::optional<FailureClass> last_failure;
  std::string message;                   ///< of the last failure
  std::map<FailureClass, int> failures;  ///< charged ones
  /// Newest that is not known to be damaged; of its parent, until it has one of its own.
  std::optional<ArtifactRef> checkpoint;
  /// Those before it, oldest first: where the trial falls back to. At most kOlderCheckpoints, and
  /// those of `rungs`.
  std::vector<OlderCheckpoint> older_checkpoints;
  bool at_rung = false;  ///< an attempt of its own reached its goal at `checkpoint`
  std::optional<ArtifactRef> resumed_from;  ///< by the current attempt; none: from scratch
  std::optional<double> loss;               ///< objective at the highest step so far, minimised
  Step loss_step = 0;                       ///< the step of `loss`
  Metrics watched;                 ///< the last values of the metrics that `outcomes` are read from
  std::vector<double> outcomes;    ///< see Outcomes::read()
  double violation = 0;            ///< of the outcome constraints; infinite while one is not known
  std::optional<Standing> result;  ///< its own; none while no attempt has ended in order, or if it
                                   ///< failed
  /// What it counts for: its result, or what standing_of() makes of it and of those that repeat it.
  /// Those have none themselves.
  std::optional<Standing> standing;
  std::int64_t created_at_us = 0, started_at_us = 0, ended_at_us = 0;

  /// Of its trainer, that the current attempt takes.
  int slots() const { return ranks > 0 ? ranks : 1; }
  /// Loss reported at `step`, if any and finite.
  std::optional<double> loss_at(Step step) const;
  /// What was observed at `step`, or nullptr.
  const Observation* observed_at(Step step) const;
  /// The newest checkpoint at which an attempt of its own reached its goal, or nullptr.
  const ArtifactRef* rung_checkpoint() const;
  /// Whether it was made to confirm the configuration of another one.
  bool confirms() const { return repeats && origin == kConfirmOrigin; }
};

/// Whether `a` counts for more than `b`; equals go by id. Both have a standing.
bool stands_before(const Trial& a, const Trial& b);

/// Trials by id (0 .. size-1), in chunks that snapshots share: copying costs one pointer per 64
/// trials; changing a trial copies its chunk only while a snapshot still holds it.
class TrialTable {
 public:
  std::size_t size() const { return size_; }
  /// Without those that train another one's configuration again.
  std::size_t configurations() const { return size_ - repeats_; }
  const Trial& operator[](TrialId id) const;
  Trial& edit(TrialId id);
  void add(Trial trial);
  /// The first `count` trials, sharing all whole chunks.
  TrialTable prefix(std::size_t count) const;

  class Iterator;
  Iterator begin() const;
  Iterator end() const;

 private:
  static constexpr std::size_t kChunk = 64;
  std::vector<std::shared_ptr<std::vector<Trial>>> chunks_;
  std::size_t size_ = 0;
  std::size_t repeats_ = 0;
};

class TrialTable::Iterator {
 public:
  using value_type = Trial;
  using reference = const Trial&;
  using difference_type = std::ptrdiff_t;
  Iterator() = default;
  Iterator(const TrialTable* table, std::size_t at) : table_(table), at_(at) {}
  reference operator*() const { return (*table_)[TrialId{at_}]; }
  const Trial* operator->() const { return &**this; }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++at_;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  const TrialTable* table_ = nullptr;
  std::size_t at_ = 0;
};
inline TrialTable::Iterator TrialTable::begin() const {
  return {this, 0};
}
inline TrialTable::Iterator TrialTable::end() const {
  return {this, size_};
}

struct StudyState {
  Sequence seq = 0;  ///< of the last event applied
  std::string name;
  Json document;
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  TrialTable trials;
  std::vector<std::shared_ptr<const EarlierStudyRead>> earlier;  ///< studies to learn from
  std::deque<Configuration> enqueued;                            ///< not yet made trials
  std::set<TrialId> waiting;                                     ///< state created, in order of id
  std::set<TrialId> running;
  std::set<TrialId> paused;
  std::uint64_t next_plan = 0;             ///< plan numbers below it have given trials
  std::map<Outcome, std::int64_t> closed;  ///< counts
  std::int64_t confirmations = 0;          ///< trials that confirm: beyond the budget
  /// The first of the trials with a standing. A loss after few steps is never compared with one
  /// after many: trials of the full budget count as soon as there is one, before that those that
  /// came furthest.
  std::optional<TrialId> best;
  Step full_budget = 1;  ///< fidelity.max of the document
  Outcomes outcomes;     ///< of the document
  std::optional<std::string> closed_reason;
  std::int64_t first_at_us = 0, last_at_us = 0;
  /// Time that optimizers have spent on it, gaps between runs left out.
  std::int64_t active_us = 0;
  Usage used;                     ///< by the last event
  int gpus = 0;                   ///< of one trial, by the document; of the widest one
  std::int64_t running_gpus = 0;  ///< of the attempts that run
  WidthRates rates;               ///< of attempts whose ranks were chosen

  std::int64_t closed_count() const;
  std::int64_t failed_count() const;
  /// Trials that count against the budget.
  std::int64_t spent() const { return static_cast<std::int64_t>(trials.size()) - confirmations; }
  /// What has been used when nothing else has happened for so long.
  Usage used_after(std::int64_t later_us) const;
};

/// Errors: corrupt if the fact cannot follow this state (`state` is then unchanged in meaning but
/// must not be used further). Sequence numbers must be dense.
Status apply(StudyState& state, const Event& event);

/// Hash over everything that decisions depend on (so not wall-clock times and not texts for
/// people); equal for a live state and its replay (I5).
std::uint64_t state_hash(const StudyState& state);

}  // namespace betatune
