/// Trainers that come and go, and an optimizer that is killed.

#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Status repeated_hello_loses_nothing(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  BETATUNE_TRY(const Welcome again, t.hello());
  static_cast<void>(again);
  return t.report(assign, 2, 2);
}

Status new_session_keeps_what_it_names(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  t.reconnect();
  BETATUNE_TRY(const Welcome welcome, t.hello(1, {Held{assign.trial, assign.attempt, 3, 3}}));
  if (welcome.keep.size() != 1) return wrong("WELCOME does not keep it");
  if (welcome.keep[0].last_seq != 1) {
    return wrong(fmt::format("last_seq is {}, 1 report is durable", welcome.keep[0].last_seq));
  }
  return t.report(assign, 2, 2);
}

Status new_session_loses_what_it_leaves_out(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.reconnect();
  BETATUNE_TRY(const Assign again, t.begin());
  return again.trial == assign.trial && again.attempt.n == assign.attempt.n + 1
             ? Status(Ok{})
             : wrong("what the new session does not hold is not given out again");
}

Status welcome_drops_the_unknown(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Welcome welcome,
               o.trainer().hello(1, {Held{TrialId{12}, AttemptId{2}, 5, 5}}));
  return welcome.keep.empty() && welcome.drop.size() == 1
             ? Status(Ok{})
             : wrong("it does not drop what it never gave out");
}

Status another_name_takes_nothing_over(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_TRY(const Welcome welcome,
               o.trainer("kit-2").hello(1, {Held{assign.trial, assign.attempt, 0, 0}}));
  if (welcome.drop.size() != 1) return wrong("another trainer's work is not dropped");
  return t.run(assign);
}

Status silence_loses_work(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Assign its_own, other.begin());
  BETATUNE_CHECK(other.run(its_own));
  for (int i = 0; i < 30; ++i) {
    other.send(Beat{0, {}, {}});
    BETATUNE_CHECK(other.never<Bye>(milliseconds(100)));
  }
  other.send(Ready{1});
  BETATUNE_TRY(const Assign again, other.expect<Assign>());
  if (again.trial != assign.trial) return wrong("its trial was not given to another");
  // The fence: the old attempt has no say any more.
  t.send(Report{assign.trial, assign.attempt, 2, 2, {{"loss", 0.1}}, {}});
  BETATUNE_TRY(const Refusal refusal, t.expect<Refusal>());
  const bool fenced = refusal.code == "not_welcome" || refusal.code == "stale_attempt";
  return fenced ? Status(Ok{}) : wrong("a report of a lost attempt gets `" + refusal.code + "`");
}

Status any_message_renews(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  for (int i = 0; i < 40; ++i) {
    t.send(Ready{0});
    BETATUNE_CHECK(t.never<Refusal>(milliseconds(100)));
  }
  return t.run(assign);
}

Status goodbye_gives_work_back(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(Bye{"leaving", false});
  BETATUNE_TRY(const Assign again, o.trainer("kit-2").begin());
  return again.trial == assign.trial ? Status(Ok{}) : wrong("its trial was not given to another");
}

Status unheard_assign_comes_again(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  t.send(Ready{1});
  BETATUNE_TRY(const Assign assign, t.expect<Assign>());
  // Younger than a beat it is not missed.
  BETATUNE_CHECK(t.never<Bye>(milliseconds(welcome.beat_ms + 100)));
  t.send(Beat{0, {}, {}});
  BETATUNE_TRY(const Assign again, t.expect<Assign>());
  return again.trial == assign.trial && again.attempt == assign.attempt
             ? Status(Ok{})
             : wrong("another assignment came");
}

Status restart_raises_the_epoch(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Welcome before, o.trainer().hello());
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  BETATUNE_TRY(const Welcome after, o.trainer("kit-2").hello());
  return after.epoch > before.epoch ? Status(Ok{}) : wrong("the epoch has not grown");
}

Status restart_takes_work_over(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1));
  BETATUNE_CHECK(t.report(assign, 2, 2));
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  t.reconnect();
  BETATUNE_TRY(const Welcome welcome, t.hello(1, {Held{assign.trial, assign.attempt, 3, 3}}));
  if (welcome.keep.size() != 1) return wrong("what ran is not kept");
  if (welcome.keep[0].last_seq != 2) {
    return wrong(fmt::format("2 reports were acknowledged, it knows {}", welcome.keep[0].last_seq));
  }
  BETATUNE_CHECK(t.report(assign, 3, 5));
  BETATUNE_TRY(const Ack ack, t.done(assign, 3));
  static_cast<void>(ack);
  return Ok{};
}

Status restart_forgets_connections(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  // ZeroMQ connects again by itself.
  for (int i = 0; i < 100; ++i) {
    t.send(Beat{1, {Held{assign.trial, assign.attempt, 0, 0}}, {}});
    if (!t.never<Refusal>(milliseconds(100))) return Ok{};
  }
  return wrong("it answers a connection that it does not know as if it did");
}

Status restart_counts_nothing_twice(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(2));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign first, t.begin());
  BETATUNE_CHECK(t.run(first));
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  t.reconnect();
  // The ACK might have been lost: the trainer still offers what is recorded.
  BETATUNE_TRY(const Welcome welcome, t.hello(1, {Held{first.trial, first.attempt, 1, 5}}));
  static_cast<void>(welcome);
  BETATUNE_CHECK(t.report(first, 1, 5));
  BETATUNE_TRY(const Ack ack, t.done(first, 1));
  static_cast<void>(ack);
  BETATUNE_TRY(const Assign second, t.next_assign());
  if (second.trial == first.trial) return wrong("a trial that is done is run again");
  BETATUNE_CHECK(t.run(second));
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  return Ok{};
}

Status restart_gives_lost_work_out(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Assign assign, o.trainer().begin());
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Assign its_own, other.begin());
  BETATUNE_CHECK(other.run(its_own));
  if (its_own.trial == assign.trial) return Ok{};
  for (int i = 0; i < 40; ++i) {
    other.send(Beat{0, {}, {}});
    BETATUNE_CHECK(other.never<Bye>(milliseconds(100)));
  }
  other.send(Ready{1});
  BETATUNE_TRY(const Assign again, other.expect<Assign>());
  return again.trial == assign.trial && again.attempt.n == assign.attempt.n + 1
             ? Status(Ok{})
             : wrong("what nobody came back with is not given out again");
}

}  // namespace

std::vector<OptimizerCase> optimizer_recovery_cases() {
  using enum Level;
  return {
      {"O-RECOVERY-1", must, "Session", "A repeated HELLO of a session loses nothing.",
       repeated_hello_loses_nothing},
      {"O-RECOVERY-2", must, "Session", "A new session keeps what it names, from what is durable.",
       new_session_keeps_what_it_names},
      {"O-RECOVERY-3", must, "Session", "And loses what it leaves out.",
       new_session_loses_what_it_leaves_out},
      {"O-RECOVERY-4", must, "WELCOME", "What was never given out is dropped.",
       welcome_drops_the_unknown},
      {"O-RECOVERY-5", must, "Reconciliation", "Work belongs to a name.",
       another_name_takes_nothing_over},
      {"O-RECOVERY-6", must, "Time", "After the lease its work is another's, and it is fenced.",
       silence_loses_work},
      {"O-RECOVERY-7", must, "Time", "Any message that can be read renews the lease.",
       any_message_renews},
      {"O-RECOVERY-8", must, "Session", "BYE with drain false gives work back at once.",
       goodbye_gives_work_back},
      {"O-RECOVERY-9", must, "Reconciliation", "An ASSIGN that was never heard comes again.",
       unheard_assign_comes_again},
      {"O-RECOVERY-10", must, "Reconciliation", "The epoch grows with each start.",
       restart_raises_the_epoch},
      {"O-RECOVERY-11", must, "Reconciliation",
       "After a kill nothing that was acknowledged is missing, and work goes on.",
       restart_takes_work_over},
      {"O-RECOVERY-12", must, "Reconciliation", "After a kill it knows no connection.",
       restart_forgets_connections},
      {"O-RECOVERY-13", must, "Delivery", "After a kill nothing counts twice.",
       restart_counts_nothing_twice},
      {"O-RECOVERY-14", must, "Reconciliation",
       "After a kill, what nobody comes back with is given out again.",
       restart_gives_lost_work_out},
  };
}

}  // namespace betatune::tck
