#pragma once
/// The coordinator decides. It is pure: inputs and a monotonic time in; facts to append, messages
/// to send and plans to compute out. It owns no socket, file, clock or thread, so production,
/// replay, simulation and unit tests run the same code.
///
/// Contract with the shell: append `append` durably *before* sending any of `send`.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_set>
#include <variant>
#include <vector>

#include "optimizer/history.hpp"
#include "optimizer/roster.hpp"
#include "optimizer/scheduler.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/study_state.hpp"
#include "transport/message.hpp"

namespace betatune {

/// Monotonic time since any fixed point of the owner's choice.
using Monotonic = std::chrono::microseconds;

struct Received {
  PeerId from;
  Message message;
};
/// The answer to a PlanRequest.
struct Planned {
  std::uint64_t plan = 0;
  std::vector<Suggestion> suggestions;
};
struct Tick {};
/// A user's wish, from the command line, another process or ask-tell.
struct EnqueueRequest {
  Configuration configuration;           ///< complete (space.complete)
  std::optional<std::string> user = {};  ///< account of who wishes it, where that is known
};
struct StopTrialRequest {
  TrialId trial;
};
/// Finish what runs (checkpoint where the trainer can), start nothing new.
struct DrainRequest {
  std::string reason;
};
/// End running attempts now, as interrupted: not failed, no retry charged.
struct CancelRequest {};

using Input = std::variant<Received, Planned, Tick, EnqueueRequest, StopTrialRequest, DrainRequest,
                           CancelRequest>;

struct Outgoing {
  PeerId to;
  Message message;
};
/// Compute searcher->suggest(*history, count, key) somewhere and answer with Planned{plan, ...}.
struct PlanRequest {
  std::uint64_t plan = 0;
  std::shared_ptr<const History> history;
  int count = 0;
  Key key;
};

struct Effects {
  std::vector<Fact> append;
  /// Wall clock of this step, by CoordinatorOptions::wall_offset_us: stamp the events with it, so
  /// that the live state and its replay have the same times.
  std::int64_t at_us = 0;
  std::vector<Outgoing> send;
  std::optional<PlanRequest> plan;
  /// The message is a PUT or GET of who may say it: the shell answers it.
  bool admits_file = false;
  /// Set once: the study is done (reason of StudyClosed), or drained ("drained", "cancelled").
  std::optional<std::string> finished;
};

struct Policies {
  std::shared_ptr<const Searcher> searcher;
  std::shared_ptr<Scheduler> scheduler;
};

struct CoordinatorOptions {
  std::uint64_t epoch = 1;
  std::string build;
  std::optional<std::string> user;  ///< account that the optimizer runs under
  std::string study_dir;            ///< absolute; handed to trainers
  /// Of that folder, by which trainers know it; empty where all of them see it.
  std::string folder_mark;
  std::string directory;  ///< of the study file
  std::string token;      ///< trainers must show it; empty: none asked
  Monotonic beat = std::chrono::seconds(5);
  /// Wall clock minus monotonic clock at the start, in microseconds; only for the times in events.
  std::int64_t wall_offset_us = 0;
  /// Root of the randomness of a *new* study whose file gives no seed; drawn by the shell.
  std::uint64_t fresh_seed = 0;
  /// How long trainers of an earlier run may take to say HELLO before their attempts count as lost
  /// (default: the lease). Zero where the shell knows that none has survived.
  std::optional<Monotonic> rejoin_grace;
  /// Trainers whose names begin so were started by the optimizer before this one, and have died
  /// with it: their attempts are lost at once. Empty: there are none.
  std::string launched_before;
  /// At most so many suggestions wait in the queue, where the searcher may be asked ahead.
  int ahead = 512;
};

class Coordinator {
 public:
  Coordinator(std::shared_ptr<const StudySpec> spec, Policies policies, CoordinatorOptions options);

  /// Folds a stored log. An empty log is fine. Errors: corrupt.
  Status replay(std::span<const Event> events);
  /// Between replay and start: studies to learn from that the log does not have yet.
  void learn_from(std::vector<EarlierStudyRead> studies) { earlier_ = std::move(studies); }
  /// After replay: StudyCreated if the log was empty, OptimizerStarted, DocumentChanged if the
  /// document differs from the recorded one.
  [[nodiscard]] Effects start(Monotonic now);
  [[nodiscard]] Effects step(const Input& input, Monotonic now);

  const StudyState& state() const { return state_; }
  const Roster& roster() const { return roster_; }
  const StudySpec& spec() const { return *spec_; }
  /// A snapshot for searchers (recommend, importance).
  std::shared_ptr<const History> history() const;
  bool draining() const { return draining_; }
  /// Of the budgets of the study file, up to the last step().
  std::vector<Budget> budgets() const;

 private:
  /// What only memory knows of a running attempt.
  struct Live {
    Monotonic assigned{0};
    bool this_run = false;   ///< started by this process, not by one before it
    bool confirmed = false;  ///< its trainer has named it as held, or reported
    int absent = 0;          ///< beats in a row that did not name it
    std::vector<std::uint64_t>
        reports;  ///< hash of each durable report, to tell repeats from conflicts
  };
  struct Queued {
    Suggestion suggestion;
    std::uint64_t plan = 0;
    PlanBasis basis;
  };
  struct Work {
    TrialId trial;
    Step until = 1;
  };

  // coordinator.cpp
  Status take(const Event& event, bool live);
  void track(const Event& event, bool live);
  void emit(Fact fact);
  void send(const PeerId& to, Message message);
  void send_to(const TrainerId& trainer, Message message);
  void refuse(const PeerId& to, std::string code, std::string message, bool fatal = false);
  void refuse_work(const PeerId& to, std::string code, std::string message, TrialId trial,
                   AttemptId attempt);
  Effects finish_step();
  void handle(const Received& received);
  void handle(const Planned& planned);
  void handle(const Tick& tick);
  void handle(const EnqueueRequest& request);
  void handle(const StopTrialRequest& request);
  void handle(const DrainRequest& request);
  void handle(const CancelRequest& request);

  // coordinator_messages.cpp: what trainers say
  void on(const PeerId& from, const Hello& hello);
  void on(TrainerEntry& trainer, const Ready& ready);
  void on(TrainerEntry& trainer, const Report& report);
  void on(TrainerEntry& trainer, const Done& done);
  void on(TrainerEntry& trainer, const Beat& beat);
  void on(TrainerEntry& trainer, const Bye& bye);
  bool hello_is_welcome(const PeerId& from, const Hello& hello);
  void record(const Report& report);
  void give_up_on(const PeerId& from, const Reported& conflicting);
  void judge(TrialId id, Step step);
  void answer_ended(const TrainerEntry& trainer, TrialId id, AttemptId attempt, std::uint64_t seq,
                    bool done);
  bool falls_back(const Done& done) const;
  AttemptEnded ending_of(const Done& done) const;
  const Trial* current_trial(const TrainerId& trainer, TrialId id, AttemptId attempt) const;
  void missed_in_beat(TrainerEntry& trainer, TrialId id);

  // coordinator_files.cpp: files of those that do not see the study's folder
  void on(TrainerEntry& trainer, const PutFile& put);
  void on(TrainerEntry& trainer, const GetFile& get);
  template <class Message>
  void admit_file(TrainerEntry& trainer, const Message& message, bool folder_fits);

  // coordinator_dispatch.cpp: what runs next, and where
  void dispatch();
  std::optional<Work> next_work();
  /// Whether the searcher has, or may have, a new configuration.
  std::optional<Assignment> ask_scheduler(bool has_new) const;
  Work copy_trial(const Exploit& exploit);
  std::optional<TrialId> create_trial();
  TrialId create(TrialCreated fact);
  /// Where an attempt runs, and how wide where the study lets that change.
  struct Place {
    TrainerId trainer;
    std::optional<ChosenWidth> width;
  };
  Place place_for(const Work& work) const;
  void begin_attempt(const Work& work, const Place& place);
  Assign assignment_of(const Trial& trial) const;
  void request_plan();
  void repeat_last_plan();
  int free_slots(const TrainerEntry& trainer) const;
  int fewest_slots() const;
  void note_size(const Hello& hello) const;
  void refresh_free(const TrainerId& trainer);
  int startable() const;
  bool trials_left() const;
  /// Of trials, and there is anything to be expected of one more.
  bool budget_left() const;
  bool suggestion_in_hand();
  std::vector<Configuration> spoken_for() const;

  // coordinator_repeats.cpp: what is trained more than once
  std::int64_t configurations_left() const;
  void repeat(TrialId first, const char* origin);
  void add_repeats(TrialId first);
  std::vector<TrialId> unconfirmed() const;
  bool confirm_best();

  // coordinator_ends.cpp: how attempts, trials and the study end
  void settle(TrialId id);
  void end_lost(TrialId id, bool charged, const std::string& message);
  bool work_is_whole(const Trial& trial) const;
  std::optional<AttemptEnd> end_in_spite_of_loss(const Trial& trial) const;
  void decide(TrialId id, Action action, const std::string& by, const std::string& reason);
  void send_decision(const Trial& trial, const std::string& reason);
  void expire_leases();
  void conclude();
  std::optional<std::string> limit_reached() const;
  bool target_reached() const;
  Monotonic active() const;
  std::optional<std::string> natural_end() const;
  bool stays_closed() const;
  void close_trial(TrialId id, Outcome outcome);
  void close_study(const std::string& reason);
  void say_bye(const std::string& reason, bool drain);
  Monotonic lease() const;
  bool resumable() const;

  std::shared_ptr<const StudySpec> spec_;
  Policies policies_;
  CoordinatorOptions options_;
  std::vector<EarlierStudyRead> earlier_;  ///< to be recorded at the start
  StudyState state_;
  Roster roster_;
  bool draining_ = false;

  Effects effects_;  ///< of the step in progress
  Monotonic now_{0};
  Monotonic started_{0};
  std::int64_t active_before_us_ = 0;  ///< active time of earlier runs
  std::optional<std::string> ending_;  ///< a limit is reached: nothing starts, running trials stop
  std::optional<std::string> finished_;

  std::map<TrialId, Live> live_;                    ///< one per running trial
  std::map<TrainerId, std::set<TrialId>> held_by_;  ///< running trials by trainer, as the log says
  std::map<TrainerId, int> busy_;                   ///< slots that those take
  std::set<TrainerId> free_;                        ///< trainers that can take an assignment

  std::deque<Configuration> initial_;  ///< points of the study file not yet tried
  std::deque<Queued> queue_;           ///< suggestions not yet tried, in the order of their plans
  std::unordered_set<std::uint64_t> seen_;  ///< hashes of all trials' and enqueued configurations
  std::uint64_t next_plan_ = 0;
  struct LastPlan {
    std::uint64_t plan = 0;
    std::size_t trials_before = 0;  ///< when its first suggestion became a trial
    int used = 0;                   ///< suggestions that became trials
  };
  std::optional<LastPlan> last_plan_;  ///< of the log
  struct Outstanding {
    std::uint64_t plan = 0;
    PlanBasis basis;
  };
  std::optional<Outstanding> asked_;
  bool wants_suggestion_ = false;  ///< a slot is free, and nothing is in hand for it
  bool exhausted_ = false;         ///< the searcher has nothing new
  int dry_plans_ = 0;              ///< plans in a row without one usable suggestion
};

}  // namespace betatune
