#pragma once
/// The past of a study, made again from its log: for each plan that gave trials, what the searcher
/// knew when it was asked, and what it was asked. A searcher is a pure function of these, so
/// whoever has the log can ask it again: to prove that the log is what this program does (verify),
/// or to look at the model as it was when it chose a trial (explain).

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "optimizer/history.hpp"
#include "optimizer/searcher.hpp"
#include "optimizer/store.hpp"

namespace betatune {

/// A plan as the log has it: equal bases, but for the index, are one question to the searcher.
struct LoggedPlan {
  std::uint64_t plan = 0;
  PlanBasis basis;                   ///< of its first trial
  std::vector<TrialCreated> trials;  ///< that it gave, in the order of the log
};

/// Who suggested the trials of a log.
struct PlanLedger {
  /// By what was known and then by number: the order in which they were made.
  std::map<std::pair<Sequence, std::uint64_t>, LoggedPlan> plans;
  std::map<std::string, std::int64_t> suggested;   ///< trials of plans, by origin
  std::map<std::string, std::int64_t> by_hand;     ///< initial and enqueued ones, by origin
  std::map<std::string, std::int64_t> unrecorded;  ///< suggested, but of an older version's log
  Sequence events = 0;                             ///< how much of the log this is
  std::string build;                               ///< that last wrote to it

  /// Adds the next event. Errors: corrupt.
  Status add(const Event& event);
};

/// A plan with all that its answers follow from.
struct ReplayedPlan {
  const LoggedPlan& logged;
  const History& history;
  const Searcher& searcher;
  Key key;

  std::vector<Suggestion> answer() const {
    return searcher.suggest(history, logged.basis.count, key);
  }
};

/// From a recorded document to the study that it means. Errors: invalid_argument.
using SpecOfDocument =
    std::function<Result<std::shared_ptr<const StudySpec>>(const Json& document)>;
/// As the reader of study files has it; what it finds wrong is the error.
Result<std::shared_ptr<const StudySpec>> spec_of_document(const Json& document);

/// Folds a log and stops where plans were made.
class PlanReplay {
 public:
  explicit PlanReplay(SpecOfDocument spec_of) : spec_of_(std::move(spec_of)) {}

  /// Errors: corrupt.
  Status apply(const Event& event);
  const StudyState& state() const { return state_; }

  /// Precondition: state().seq == plan.basis.seq. Errors: corrupt; invalid_argument if the recorded
  /// study file has no such searcher here. `see` gets references that end with the call.
  Status at(const LoggedPlan& plan, const std::function<void(const ReplayedPlan&)>& see);
  /// What at() shows of later plans includes these answers, as long as they are no trials. Needed
  /// only of searchers that are asked ahead.
  void answered(const std::vector<Suggestion>& answers);
  /// Everything that is known now, as a searcher sees it, and the searcher.
  Status now(const std::function<void(const History&, const Searcher&)>& see);

 private:
  Status prepare();
  std::vector<Configuration> spoken_for() const;
  bool is_seen(const Configuration& configuration) const;

  SpecOfDocument spec_of_;
  StudyState state_;
  std::shared_ptr<const StudySpec> spec_;  ///< of the document; null: not read yet
  std::unique_ptr<Searcher> searcher_;
  std::unordered_set<std::uint64_t> seen_;  ///< hashes of trials and of enqueued configurations
  std::vector<Configuration> in_hand_;      ///< answers of this run of the optimizer
};

/// Calls `each` for every event up to `last`, without holding all of them. Errors: the store's, and
/// those of `each`.
Status for_each_event(const StudyStore& store, Sequence last,
                      const std::function<Status(const Event&)>& each);

/// One pass over the log for the plans; errors: the store's, corrupt.
Result<PlanLedger> read_plans(const StudyStore& store);

}  // namespace betatune
