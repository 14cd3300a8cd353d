#pragma once
/// Facts: the only thing stored. A study is the list of its events; its state is their fold
/// (study_state.hpp). A fact is never rewritten, and an unknown type refuses to open.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "searchspaces/outcome.hpp"

namespace betatune {

inline constexpr int kLogSchema = 1;

/// How a trial ended for good.
enum class Outcome { completed, stopped, failed, cancelled };
constexpr auto enum_names(Outcome) {
  using enum Outcome;
  return std::array{EnumName<Outcome>{completed, "completed"},
                    EnumName<Outcome>{stopped, "stopped"}, EnumName<Outcome>{failed, "failed"},
                    EnumName<Outcome>{cancelled, "cancelled"}};
}

/// Always event 1.
struct StudyCreated {
  static constexpr const char* kType = "study_created";
  int schema = kLogSchema;
  std::string name;
  Json document;  ///< StudySpec::document
  std::uint64_t seed = 0;
  std::string build;
  static constexpr auto fields() {
    return std::tuple{Field{"schema", &StudyCreated::schema, "version of the log"},
                      Field{"name", &StudyCreated::name, "study"},
                      Field{"document", &StudyCreated::document, "the study file as JSON"},
                      Field{"seed", &StudyCreated::seed, "root of all randomness"},
                      Field{"build", &StudyCreated::build, "version that wrote it"}};
  }
};

/// An optimizer took the study over; its epoch fences older ones out.
struct OptimizerStarted {
  static constexpr const char* kType = "optimizer_started";
  std::uint64_t epoch = 0;
  std::string build;
  std::optional<std::string> user = {};  ///< account that it runs under; older logs have none
  static constexpr auto fields() {
    return std::tuple{Field{"epoch", &OptimizerStarted::epoch, "1, 2, 3 ..."},
                      Field{"build", &OptimizerStarted::build, "version"},
                      Field{"user", &OptimizerStarted::user, "account that it runs under"}};
  }
};

/// The study file differs from the recorded one (a grown budget, or --accept-changes).
struct DocumentChanged {
  static constexpr const char* kType = "document_changed";
  Json document;
  static constexpr auto fields() {
    return std::tuple{Field{"document", &DocumentChanged::document, "the study file as JSON"}};
  }
};

struct ConfigurationEnqueued {
  static constexpr const char* kType = "configuration_enqueued";
  Configuration configuration;
  std::optional<std::string> user = {};  ///< account of who enqueued it; older logs have none
  static constexpr auto fields() {
    return std::tuple{Field{"configuration", &ConfigurationEnqueued::configuration, "complete"},
                      Field{"user", &ConfigurationEnqueued::user, "account of who enqueued it"}};
  }
};

/// What a suggestion was computed from, so that anybody can compute it again (replay.hpp): the log
/// up to an event, and what was asked.
struct PlanBasis {
  Sequence seq = 0;         ///< the last event that the searcher knew
  int count = 1;            ///< suggestions that were asked for at once
  std::uint64_t index = 0;  ///< which of the answers this one is
  /// The searcher was shown only so many of the trials: a block that was asked for again after a
  /// restart.
  std::optional<std::uint64_t> trials;
  static constexpr auto fields() {
    return std::tuple{Field{"seq", &PlanBasis::seq, "last event that the searcher knew"},
                      Field{"count", &PlanBasis::count, "suggestions asked for at once"},
                      Field{"index", &PlanBasis::index, "which of the answers"},
                      Field{"trials", &PlanBasis::trials, "asked again with the first trials"}};
  }
};

/// Origins of trials that train a configuration again.
inline constexpr const char* kRepeatOrigin = "repeat";
inline constexpr const char* kConfirmOrigin = "confirm";
/// Of trials that begin with a copy of another one's checkpoint (population-based training).
inline constexpr const char* kExploitOrigin = "exploit";
/// Of trials, copies or not, whose configuration somebody enqueued.
inline constexpr const char* kEnqueuedOrigin = "enqueued";

/// Where a trial comes from that does not begin with nothing: the checkpoint of another one.
struct Parent {
  TrialId trial;
  Step step = 0;  ///< of the checkpoint, which an attempt reached as its goal
  std::optional<TrialId> replaces = {};  ///< the trial that ended, so that this one could begin
  bool operator==(const Parent&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Parent::trial, "whose checkpoint it begins with"},
                      Field{"step", &Parent::step, "of the checkpoint"},
                      Field{"replaces", &Parent::replaces, "trial that ends for it"}};
  }
};

struct TrialCreated {
  static constexpr const char* kType = "trial_created";
  TrialId trial;
  Configuration configuration;
  std::string origin;                   ///< initial, enqueued, sobol, gp, random ...
  std::optional<std::uint64_t> plan;    ///< number of the plan request that suggested it
  Json note;                            ///< what the searcher wants remembered ("why"), or null
  std::optional<PlanBasis> basis = {};  ///< of the plan; older logs have none
  std::optional<TrialId> repeats = {};  ///< the trial whose configuration is trained again
  std::optional<Parent> parent = {};    ///< it goes on from another one's checkpoint
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &TrialCreated::trial, "trial id"},
                      Field{"configuration", &TrialCreated::configuration, "active parameters"},
                      Field{"origin", &TrialCreated::origin, "who suggested it"},
                      Field{"plan", &TrialCreated::plan, "plan request"},
                      defaulted("note", &TrialCreated::note, "why"),
                      Field{"basis", &TrialCreated::basis, "what the plan was computed from"},
                      Field{"repeats", &TrialCreated::repeats, "trial that is trained again"},
                      Field{"parent", &TrialCreated::parent, "where its checkpoint comes from"}};
  }
};

/// How many ranks an attempt got, where the study lets them change (width_choice.hpp), and what of
/// that choice does not follow from the log before it.
struct ChosenWidth {
  int ranks = 1;
  int free = 1;  ///< slots of the trainer that were free
  bool operator==(const ChosenWidth&) const = default;
  static constexpr auto fields() {
    return std::tuple{Field{"ranks", &ChosenWidth::ranks, "processes, and slots that they take"},
                      Field{"free", &ChosenWidth::free, "slots of the trainer that were free"}};
  }
};

struct AttemptStarted {
  static constexpr const char* kType = "attempt_started";
  TrialId trial;
  AttemptId attempt;
  TrainerId trainer;
  Step from = 0;
  Step until = 1;
  std::optional<ArtifactRef> checkpoint;
  std::optional<ChosenWidth> width = {};  ///< only where `resources` has choices
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &AttemptStarted::trial, "trial id"},
                      Field{"attempt", &AttemptStarted::attempt, "the fence"},
                      Field{"trainer", &AttemptStarted::trainer, "where it runs"},
                      Field{"from", &AttemptStarted::from, "step already trained"},
                      Field{"until", &AttemptStarted::until, "step to train to"},
                      Field{"checkpoint", &AttemptStarted::checkpoint, "what it resumes from"},
                      Field{"width", &AttemptStarted::width, "ranks, where they were chosen"}};
  }
};

struct Reported {
  static constexpr const char* kType = "reported";
  TrialId trial;
  AttemptId attempt;
  std::uint64_t seq = 0;
  Step step = 0;
  Metrics metrics;             ///< finite ones only
  std::optional<double> loss;  ///< the objective, to be minimised (negated for `maximize`)
  bool diverged = false;       ///< the objective was reported but not finite
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Reported::trial, "trial id"},
                      Field{"attempt", &Reported::attempt, "attempt number"},
                      Field{"seq", &Reported::seq, "1, 2, 3 ... per attempt"},
                      Field{"step", &Reported::step, "training step"},
                      Field{"metrics", &Reported::metrics, "finite metrics"},
                      Field{"loss", &Reported::loss, "objective, to be minimised"},
                      defaulted("diverged", &Reported::diverged, "objective not finite")};
  }
};

/// A report came again under a recorded number, with another content. Nobody can tell which of the
/// two is true: both are kept, the first one counts, and the attempt is given up.
struct ReportConflicted {
  static constexpr const char* kType = "report_conflicted";
  Reported report;  ///< the second content
  static constexpr auto fields() {
    return std::tuple{Field{"report", &ReportConflicted::report, "the second content"}};
  }
};

struct CheckpointSaved {
  static constexpr const char* kType = "checkpoint_saved";
  TrialId trial;
  AttemptId attempt;
  ArtifactRef artifact;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &CheckpointSaved::trial, "trial id"},
                      Field{"attempt", &CheckpointSaved::attempt, "attempt number"},
                      Field{"artifact", &CheckpointSaved::artifact, "where it is"}};
  }
};

/// A scheduler (or a person) decided to end a running attempt early.
struct Decided {
  static constexpr const char* kType = "decided";
  TrialId trial;
  AttemptId attempt;
  Action action = Action::stop;
  Step step = 0;
  std::string by, reason;
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &Decided::trial, "trial id"},
                      Field{"attempt", &Decided::attempt, "attempt number"},
                      Field{"action", &Decided::action, "stop or pause"},
                      Field{"step", &Decided::step, "at which step"},
                      Field{"by", &Decided::by, "scheduler or user"},
                      Field{"reason", &Decided::reason, "why"}};
  }
};

struct AttemptEnded {
  static constexpr const char* kType = "attempt_ended";
  TrialId trial;
  AttemptId attempt;
  AttemptEnd end = AttemptEnd::reached;
  Step step = 0;
  std::optional<FailureClass> failure;
  std::string message;
  bool charged = true;  ///< counts against trials.retry (an interrupted attempt does not)
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &AttemptEnded::trial, "trial id"},
                      Field{"attempt", &AttemptEnded::attempt, "attempt number"},
                      Field{"end", &AttemptEnded::end, "how"},
                      Field{"step", &AttemptEnded::step, "last step trained"},
                      Field{"failure", &AttemptEnded::failure, "class of failure"},
                      defaulted("message", &AttemptEnded::message, "for people"),
                      defaulted("charged", &AttemptEnded::charged, "counts against retries")};
  }
};

struct TrialClosed {
  static constexpr const char* kType = "trial_closed";
  TrialId trial;
  Outcome outcome = Outcome::completed;
  std::optional<double> loss;  ///< what it counts for: objective at the highest step, minimised
  static constexpr auto fields() {
    return std::tuple{Field{"trial", &TrialClosed::trial, "trial id"},
                      Field{"outcome", &TrialClosed::outcome, "how it ended"},
                      Field{"loss", &TrialClosed::loss, "objective, to be minimised"}};
  }
};

/// The budget is used or the target reached. A later OptimizerStarted with a larger budget reopens.
struct StudyClosed {
  static constexpr const char* kType = "study_closed";
  /// trials, target, wall_time, gpu_hours, trainer_hours, steps, no_gain, exhausted, failures
  std::string reason;
  static constexpr auto fields() {
    return std::tuple{Field{"reason", &StudyClosed::reason, "the rule that ended it"}};
  }
};

struct EarlierResult {
  Configuration configuration;  ///< as the earlier study had it
  double loss = 0;              ///< minimised
  static constexpr auto fields() {
    return std::tuple{Field{"configuration", &EarlierResult::configuration, "parameters"},
                      Field{"loss", &EarlierResult::loss, "objective, to be minimised"}};
  }
};

/// What an earlier study found, from which this one learns (`algorithm.transfer`). In the log,
/// because the earlier study may go on, or go away.
struct EarlierStudyRead {
  static constexpr const char* kType = "earlier_study_read";
  std::string study;  ///< as the study file names it
  std::vector<EarlierResult> results;
  static constexpr auto fields() {
    return std::tuple{
        Field{"study", &EarlierStudyRead::study, "as `algorithm.transfer.studies` names it"},
        Field{"results", &EarlierStudyRead::results, "what it found"}};
  }
};

using Fact =
    std::variant<StudyCreated, OptimizerStarted, DocumentChanged, EarlierStudyRead,
                 ConfigurationEnqueued, TrialCreated, AttemptStarted, Reported, ReportConflicted,
                 CheckpointSaved, Decided, AttemptEnded, TrialClosed, StudyClosed>;

struct Event {
  Sequence seq = 0;
  /// Wall clock, microseconds since 1970: for people, and for how long work took (budgets, prices).
  std::int64_t at_us = 0;
  Fact fact;
};

std::string_view fact_type(const Fact& fact);
/// Body without its type. Errors: corrupt, naming type and path.
Json encode_fact(const Fact& fact);
Result<Fact> decode_fact(std::string_view type, const Json& body);

}  // namespace betatune
