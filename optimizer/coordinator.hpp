#pragma once
/// The coordinator decides. It is pure: inputs and a monotonic time in; facts to append, messages to
/// send and plans to compute out. It owns no socket, file, clock or thread, so production, replay,
/// simulation and unit tests run the same code.
///
/// Contract with the shell: append `append` durably *before* sending any of `send`.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
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
  Configuration configuration;  ///< complete (space.complete)
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
  std::vector<Outgoing> send;
  std::optional<PlanRequest> plan;
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
  std::string study_dir;   ///< absolute; handed to trainers
  std::string directory;   ///< of the study file
  std::string token;       ///< trainers must show it; empty: none asked
  Monotonic beat = std::chrono::seconds(5);
};

class Coordinator {
 public:
  Coordinator(std::shared_ptr<const StudySpec> spec, Policies policies, CoordinatorOptions options);

  /// Folds a stored log. An empty log is fine. Errors: corrupt.
  Status replay(std::span<const Event> events);
  /// After replay: StudyCreated if the log was empty, OptimizerStarted, DocumentChanged if the
  /// document differs from the recorded one.
  [[nodiscard]] Effects start(Monotonic now);
  [[nodiscard]] Effects step(const Input& input, Monotonic now);

  const StudyState& state() const { return state_; }
  const Roster& roster() const { return roster_; }
  const StudySpec& spec() const { return *spec_; }
  /// A snapshot for searchers (recommend, importance).
  std::shared_ptr<const History> history() const;
  /// Why nothing new starts, for people; empty if something may.
  bool draining() const { return draining_; }

 private:
  // The implementer's own members follow; the interface above is fixed.
  std::shared_ptr<const StudySpec> spec_;
  Policies policies_;
  CoordinatorOptions options_;
  StudyState state_;
  Roster roster_;
  bool draining_ = false;
};

}  // namespace betatune
