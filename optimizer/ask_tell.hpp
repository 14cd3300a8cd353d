#pragma once
/// The same optimizer for any other driver: one JSON object in, exactly one out. It is the
/// coordinator with a trainer inside the process that only passes on what the driver says, so a
/// study driven this way has the same log, and `betatune run` could go on with it.
///
///   {"ask": 2}                                     {"ask": [{"id": 0, "params": {...}, "until":
///   1}]}
///   {"tell": {"id": 0, "loss": 0.31}}              {"ok": true}
///   {"report": {"id": 0, "step": 3, "loss": 0.4}}  {"decision": "continue"}
///
/// docs/ask-tell.md has the conversation. `loss` is always to be minimised; `metrics` holds numbers
/// by name, the objective as the study means it (so for `goal: maximize`, larger is better). Facts
/// are durable before the answer. One fsync per command that changes anything.

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "optimizer/ask_tell_request.hpp"
#include "optimizer/study_session.hpp"

namespace betatune {

class AskTell {
 public:
  /// Goes on with the session's study. Trials that were asked for and not told are handed out again
  /// by the next ask, and may be told at once. Errors: the store's.
  static Result<std::unique_ptr<AskTell>> open(StudySession session);

  /// The answer to one line, without a line end. Never throws; whatever is wrong with the line is
  /// {"error": "what and where"} and changes nothing.
  std::string answer(std::string_view line);
  /// After {"close": 1}.
  bool closed() const { return closed_; }

 private:
  explicit AskTell(StudySession session) : session_(std::move(session)) {}

  Status begin();
  void adopt_running();
  Result<Json> obey(const AskTellRequest& request);
  Result<Json> ask(std::int64_t count);
  Result<Json> tell(const Told& told);
  Result<Json> report(const Told& told);
  Result<Json> enqueue(const Configuration& partial);
  Json best() const;
  Json pareto() const;
  Json recommend() const;

  void give(Input input);
  void hear(const Message& message, std::deque<Input>& inputs);
  Status take_requests();
  Status flush();
  Result<const Trial*> running(TrialId id) const;
  bool ended_by_decision(TrialId id) const;
  Metrics metrics_of(const Told& told) const;
  Status check_limits(const Trial& trial, const Metrics& told) const;
  Status send_report(const Trial& trial, Step step, Metrics metrics);
  const StudyState& state() const { return session_.coordinator->state(); }

  StudySession session_;
  std::deque<TrialId> in_hand_;         ///< assigned, not yet handed to the driver
  std::map<TrialId, Action> verdicts_;  ///< decisions since the present command began
  std::vector<Event> pending_;          ///< facts not yet durable
  std::vector<std::int64_t> taken_;     ///< stored requests that they fulfil
  std::string refusal_;
  bool closed_ = false;
};

}  // namespace betatune
