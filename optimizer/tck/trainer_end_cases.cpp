/// DECISIONs, and what they lead to.

#include <fmt/format.h>

#include "optimizer/tck/trainer_cases.hpp"

namespace betatune::tck {
namespace {

using std::chrono::seconds;

/// A trial that runs, and has most of its way before it.
Result<Assign> begin_running(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(10));
  const Report report = t.reports().front();
  if (report.step > assign.until / 2) return skipped("its trials are over too soon");
  return assign;
}

Decision decide(const Assign& assign, Action action) {
  return Decision{assign.trial, assign.attempt, action, "the kit says so"};
}

Status stops(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::stop));
  BETATUNE_TRY(const Done done, t.finish(assign));
  const bool fine = done.end == AttemptEnd::stopped || done.end == AttemptEnd::reached;
  return fine ? Status(Ok{}) : wrong("it did not end as stopped");
}

Status stops_soon(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::stop));
  BETATUNE_TRY(const Done done, t.finish(assign));
  return done.step < assign.until ? Status(Ok{}) : wrong("it trained to the end all the same");
}

Status accepts_a_repeated_decision(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  for (int i = 0; i < 3; ++i) t.send(decide(assign, Action::stop));
  BETATUNE_TRY(const Done done, t.finish(assign));
  t.send(decide(assign, Action::stop));
  const Assign next = t.assign();
  BETATUNE_TRY(const Done after, t.finish(next));
  static_cast<void>(done);
  return after.end == AttemptEnd::reached ? Status(Ok{}) : wrong("the next trial was stopped too");
}

Status continues(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::go_on));
  BETATUNE_TRY(const Done done, t.finish(assign));
  return done.end == AttemptEnd::reached ? Status(Ok{}) : wrong("`continue` ended it");
}

Status leaves_others_alone(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  Decision other = decide(assign, Action::stop);
  other.attempt = AttemptId{assign.attempt.n + 1};
  t.send(other);
  other = decide(assign, Action::stop);
  other.trial = TrialId{assign.trial.n + 1};
  t.send(other);
  BETATUNE_TRY(const Done done, t.finish(assign));
  return done.end == AttemptEnd::reached ? Status(Ok{})
                                         : wrong("a DECISION about another attempt ended it");
}

Status ends_paused(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_checkpoints());
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::pause));
  BETATUNE_TRY(const Done done, t.finish(assign));
  const bool fine = done.end == AttemptEnd::paused || done.end == AttemptEnd::reached;
  return fine ? Status(Ok{}) : wrong(fmt::format("it ended as {}", to_name(done.end)));
}

Status stops_after_a_pause(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::pause));
  t.send(decide(assign, Action::stop));
  BETATUNE_TRY(const Done done, t.finish(assign));
  return done.end != AttemptEnd::failed ? Status(Ok{}) : wrong("it ended as failed");
}

Status reports_before_done(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, begin_running(t));
  t.send(decide(assign, Action::stop));
  BETATUNE_TRY(const Done done, t.finish(assign));
  std::uint64_t last = 0;
  for (const Report& each : t.reports()) last = std::max(last, each.seq);
  if (last != done.final_seq) {
    return wrong(fmt::format("final_seq is {}, the last report {}", done.final_seq, last));
  }
  return t.never<Report>(seconds(1), [&](const Report& each) { return each.seq > done.final_seq; });
}

}  // namespace

std::vector<TrainerCase> trainer_end_cases() {
  using enum Level;
  return {
      {"T-DECISION-1", must, "DECISION", "stop ends the attempt.", stops},
      {"T-DECISION-2", should, "Time", "It ends at its next step.", stops_soon},
      {"T-DECISION-3", must, "Delivery", "A repeated DECISION is accepted, and ends nothing else.",
       accepts_a_repeated_decision},
      {"T-DECISION-4", must, "DECISION", "continue changes nothing.", continues},
      {"T-DECISION-5", must, "Reconciliation", "A DECISION about another attempt changes nothing.",
       leaves_others_alone},
      {"T-DECISION-6", must, "DECISION", "pause ends the attempt as paused.", ends_paused},
      {"T-DECISION-7", must, "Delivery", "stop may follow pause.", stops_after_a_pause},
      {"T-DECISION-8", must, "Attempt", "After a stop, too, DONE comes behind the last REPORT.",
       reports_before_done},
  };
}

}  // namespace betatune::tck
