/// Reports, their acknowledgements, and how attempts end.

#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Report report_at(const Assign& assign, std::uint64_t seq, Step step, Metrics metrics) {
  return Report{assign.trial, assign.attempt, seq, step, std::move(metrics), {}};
}

Status acknowledges(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  for (Step step = 1; step <= 5; ++step) {
    BETATUNE_CHECK(t.report(assign, static_cast<std::uint64_t>(step), step));
  }
  BETATUNE_TRY(const Ack ack, t.done(assign, 5));
  return ack.seq >= 5 ? Status(Ok{}) : wrong("the ACK of DONE does not cover its reports");
}

Status acknowledges_again(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  for (int i = 0; i < 3; ++i) BETATUNE_CHECK(t.report(assign, 1, 1));
  return t.report(assign, 2, 2);
}

Status stops_at_a_gap(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  t.send(report_at(assign, 3, 3, {{"loss", 0.3}}));
  BETATUNE_TRY(const Ack ack, t.expect<Ack>());
  if (ack.seq != 1) return wrong(fmt::format("it acknowledges {} with report 2 missing", ack.seq));
  BETATUNE_CHECK(t.report(assign, 2, 2));
  return t.report(assign, 3, 3, 0.3);
}

Status keeps_the_first_content(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  t.send(report_at(assign, 1, 1, {{"loss", 0.4}}));
  BETATUNE_TRY(const Refusal refusal, t.refused("conflict"));
  if (refusal.trial != assign.trial) return wrong("it does not say about which trial");
  BETATUNE_TRY(const Assign again, t.next_assign());
  return again.trial == assign.trial && again.attempt.n == assign.attempt.n + 1
             ? Status(Ok{})
             : wrong("the trial is not tried again");
}

Status refuses_done_with_reports_missing(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 5));
  t.send(Done{assign.trial, assign.attempt, 2, 5, AttemptEnd::reached, {}, ""});
  BETATUNE_TRY(const Refusal refusal, t.refused("missing_reports"));
  static_cast<void>(refusal);
  BETATUNE_CHECK(t.report(assign, 2, 5));
  BETATUNE_TRY(const Ack ack, t.done(assign, 2));
  static_cast<void>(ack);
  return Ok{};
}

Status acknowledges_done_again(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.run(assign));
  for (int i = 0; i < 3; ++i) {
    BETATUNE_TRY(const Ack ack, t.done(assign, 1));
    static_cast<void>(ack);
  }
  return Ok{};
}

Status acknowledges_late_repeats(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.run(assign));
  return t.report(assign, 1, 5);
}

Status refuses_stale(OptimizerScript& o, const std::function<void(Report&)>& change) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  Report report = report_at(assign, 1, 1, {{"loss", 0.5}});
  change(report);
  t.send(report);
  BETATUNE_TRY(const Refusal refusal, t.refused("stale_attempt"));
  if (refusal.fatal) return wrong("it is fatal");
  return t.report(assign, 1, 1);
}
Status another_attempt(OptimizerScript& o) {
  return refuses_stale(o, [](Report& report) { report.attempt = AttemptId{report.attempt.n + 1}; });
}
Status unknown_trial(OptimizerScript& o) {
  return refuses_stale(o, [](Report& report) { report.trial = TrialId{4711}; });
}

Status another_trainers_trial(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_TRY(const Assign its_own, other.begin());
  static_cast<void>(its_own);
  other.send(report_at(assign, 1, 1, {{"loss", 0.1}}));
  BETATUNE_TRY(const Refusal refusal, other.refused("stale_attempt"));
  static_cast<void>(refusal);
  other.send(Done{assign.trial, assign.attempt, 0, 5, AttemptEnd::failed, FailureClass::user, ""});
  BETATUNE_TRY(const Refusal second, other.refused("stale_attempt"));
  static_cast<void>(second);
  return t.run(assign);
}

Status tries_infra_again(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_TRY(const Ack ack, t.done(assign, 0, AttemptEnd::failed, FailureClass::infra));
  static_cast<void>(ack);
  BETATUNE_TRY(const Assign again, t.next_assign());
  if (again.trial != assign.trial) return wrong("the trial was given up");
  if (again.attempt.n != assign.attempt.n + 1) return wrong("the attempt is not the next one");
  return again.seed == assign.seed && again.params == assign.params
             ? Status(Ok{})
             : wrong("seed or params of the trial have changed");
}

Status does_not_try_user_again(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_TRY(const Ack ack, t.done(assign, 0, AttemptEnd::failed, FailureClass::user));
  static_cast<void>(ack);
  BETATUNE_TRY(const Assign next, t.next_assign());
  return next.trial != assign.trial ? Status(Ok{}) : wrong("it tries a user's failure again");
}

Status takes_words_for_numbers(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const double infinity = std::numeric_limits<double>::infinity();
  t.send(report_at(assign, 1, 5,
                   {{"loss", 0.5}, {"a", std::nan("")}, {"b", infinity}, {"c", -infinity}}));
  BETATUNE_TRY(const Ack ack, t.expect<Ack>());
  if (ack.seq != 1) return wrong("the report was not taken");
  BETATUNE_TRY(const Ack done, t.done(assign, 1));
  static_cast<void>(done);
  return Ok{};
}

Status stops_what_diverged(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(report_at(assign, 1, 1, {{"loss", std::nan("")}}));
  BETATUNE_TRY(const Decision decision, t.expect<Decision>());
  if (decision.action != Action::stop) return wrong("it does not say stop");
  BETATUNE_TRY(const Ack ack, t.done(assign, 1, AttemptEnd::stopped));
  static_cast<void>(ack);
  BETATUNE_TRY(const Assign next, t.next_assign());
  return next.trial != assign.trial ? Status(Ok{}) : wrong("it tries what diverged again");
}

Status repeats_decisions(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(report_at(assign, 1, 1, {{"loss", std::nan("")}}));
  BETATUNE_TRY(const Decision decision, t.expect<Decision>());
  static_cast<void>(decision);
  t.send(Beat{0, {Held{assign.trial, assign.attempt, 1, 1}}, {}});
  BETATUNE_TRY(const Decision again, t.expect<Decision>());
  return again.trial == assign.trial ? Status(Ok{}) : wrong("about another trial");
}

Status decides_behind_the_ack(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(report_at(assign, 1, 1, {{"loss", std::nan("")}}));
  BETATUNE_TRY(const Decision decision, t.expect<Decision>());
  static_cast<void>(decision);
  for (const std::string& line : o.transcript()) {
    if (line.starts_with("O> ACK")) return Ok{};
  }
  return wrong("DECISION came before the ACK of the report that it is about");
}

Status needs_the_objective(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(report_at(assign, 1, 5, {{"accuracy", 0.9}}));
  BETATUNE_TRY(const Ack ack, t.done(assign, 1));
  static_cast<void>(ack);
  // The one trial of the budget has failed: the study is over.
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  const auto status = o.process().wait(seconds(20));
  if (!status) return wrong("it still runs");
  return *status != 0 ? Status(Ok{})
                      : wrong("a study whose only trial never reported the objective ended well");
}

Status beats_say_what_is_durable(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  BETATUNE_CHECK(t.report(assign, 2, 2));
  t.send(Beat{0, {Held{assign.trial, assign.attempt, 4, 4}}, {}});
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  if (beat.held.size() != 1 || beat.held[0].trial != assign.trial) {
    return wrong("it does not agree to what the trainer holds");
  }
  return beat.held[0].last_seq == 2
             ? Status(Ok{})
             : wrong(fmt::format("last_seq is {}, 2 reports are durable", beat.held[0].last_seq));
}

Status drops_what_is_not_held(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(Beat{0,
              {Held{assign.trial, assign.attempt, 0, 0}, Held{TrialId{77}, AttemptId{1}, 3, 3},
               Held{assign.trial, AttemptId{assign.attempt.n + 5}, 3, 3}},
              {}});
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  if (beat.held.size() != 1) return wrong("it agrees to what it never gave out");
  return beat.drop.size() == 2 ? Status(Ok{}) : wrong("`drop` does not name what is to end");
}

}  // namespace

std::vector<OptimizerCase> optimizer_attempt_cases() {
  using enum Level;
  return {
      {"O-ATTEMPT-1", must, "Attempt", "Reports and DONE are acknowledged.", acknowledges},
      {"O-ATTEMPT-2", must, "Delivery", "A repeated report is acknowledged again.",
       acknowledges_again},
      {"O-ATTEMPT-3", must, "Attempt", "Nothing is acknowledged beyond a gap.", stops_at_a_gap},
      {"O-ATTEMPT-4", must, "Attempt", "Another content under a recorded seq: conflict, and lost.",
       keeps_the_first_content},
      {"O-ATTEMPT-5", must, "Attempt", "DONE before its reports: missing_reports.",
       refuses_done_with_reports_missing},
      {"O-ATTEMPT-6", must, "Attempt", "A repeated DONE is acknowledged again.",
       acknowledges_done_again},
      {"O-ATTEMPT-7", must, "Attempt", "A report that is repeated after DONE is acknowledged.",
       acknowledges_late_repeats},
      {"O-ATTEMPT-8", must, "Reconciliation", "A report of another attempt: stale_attempt.",
       another_attempt},
      {"O-ATTEMPT-9", must, "Attempt", "A report of no trial: stale_attempt.", unknown_trial},
      {"O-ATTEMPT-10", must, "Reconciliation", "A report of another trainer's: stale_attempt.",
       another_trainers_trial},
      {"O-ATTEMPT-11", must, "Attempt", "A failure of class infra is tried again, the same trial.",
       tries_infra_again},
      {"O-ATTEMPT-12", must, "Attempt", "One of class user is not, unless the study says so.",
       does_not_try_user_again},
      {"O-ATTEMPT-13", must, "Messages", "Metrics that are not finite travel as words.",
       takes_words_for_numbers},
      {"O-ATTEMPT-14", must, "Attempt", "An objective that is not finite ends the attempt.",
       stops_what_diverged},
      {"O-ATTEMPT-15", must, "Delivery", "A DECISION is repeated with BEATs that still hold it.",
       repeats_decisions},
      {"O-ATTEMPT-16", must, "Delivery", "A DECISION comes behind the ACK of its report.",
       decides_behind_the_ack},
      {"O-ATTEMPT-17", must, "Attempt", "reached without the objective is a failure.",
       needs_the_objective},
      {"O-ATTEMPT-18", must, "Reconciliation", "A BEAT's answer says what is durable.",
       beats_say_what_is_durable},
      {"O-ATTEMPT-19", must, "Reconciliation", "And drops what was never given out.",
       drops_what_is_not_held},
  };
}

}  // namespace betatune::tck
