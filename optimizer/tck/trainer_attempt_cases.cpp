/// How a trainer runs what it is assigned, and gives it up.

#include <algorithm>
#include <fmt/format.h>

#include "optimizer/tck/trainer_cases.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Report> reports_of(const TrainerScript& t, const Assign& assign) {
  std::vector<Report> out;
  for (const Report& each : t.reports()) {
    if (is_of(assign, each)) out.push_back(each);
  }
  return out;
}

Status runs_to_the_end(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  if (done.end != AttemptEnd::reached) return wrong("it ended otherwise: " + done.message);
  return done.step == assign.until
             ? Status(Ok{})
             : wrong(fmt::format("step is {}, not until ({})", done.step, assign.until));
}

Status numbers_reports(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  std::uint64_t next = 1;
  for (const Report& each : reports_of(t, assign)) {
    if (each.seq > next) return wrong(fmt::format("seq {} came where {} was next", each.seq, next));
    next = std::max(next, each.seq + 1);
  }
  if (next == 1) return wrong("it reported nothing");
  return done.final_seq == next - 1
             ? Status(Ok{})
             : wrong(fmt::format("final_seq is {} after {} reports", done.final_seq, next - 1));
}

Status steps_within(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  for (const Report& each : reports_of(t, assign)) {
    if (each.step <= assign.from || each.step > assign.until) {
      return wrong(fmt::format("a report at step {}, of steps {} to {}", each.step, assign.from + 1,
                               assign.until));
    }
  }
  return Ok{};
}

Status steps_ascend(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  const std::vector<Report> all = reports_of(t, assign);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].seq > all[i - 1].seq && all[i].step < all[i - 1].step)
      return wrong("steps decrease");
  }
  return Ok{};
}

Status reports_the_objective(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  for (const Report& each : reports_of(t, assign)) {
    if (each.step == assign.until && each.metrics.contains(assign.job.objective)) return Ok{};
  }
  return wrong("no report at the last step has `" + assign.job.objective + "`");
}

Status holds_while_running(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  const auto found =
      std::ranges::find_if(beat.held, [&](const Held& each) { return is_of(assign, each); });
  if (found == beat.held.end()) return wrong("its BEAT does not name the attempt");
  const std::vector<Report> made = reports_of(t, assign);
  return found->last_seq >= made.back().seq
             ? Status(Ok{})
             : wrong(fmt::format("last_seq is {} after {} reports", found->last_seq, made.size()));
}

Status holds_until_acknowledged(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.expect<Done>());
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  const bool held =
      std::ranges::any_of(beat.held, [&](const Held& each) { return is_of(assign, each); });
  if (!held) return wrong("it forgot an attempt whose DONE nobody has acknowledged");
  t.acknowledge(done);
  BETATUNE_CHECK(t.pass(milliseconds(100)));
  BETATUNE_TRY(const Beat after, t.expect<Beat>());
  return after.held.empty() ? Status(Ok{}) : wrong("it still holds what is done");
}

Status is_ready_again(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  for (int i = 0; i < 3; ++i) {
    const Assign assign = t.assign();
    BETATUNE_TRY(const Done done, t.finish(assign));
    static_cast<void>(done);
    BETATUNE_TRY(const Ready ready,
                 t.expect<Ready>([](const Ready& each) { return each.credit > 0; }));
    static_cast<void>(ready);
  }
  return Ok{};
}

Status credit_counts_what_runs(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  static_cast<void>(assign);
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  static_cast<void>(beat);
  BETATUNE_TRY(const Ready ready, t.expect<Ready>());
  return ready.credit <= t.hello().slots - 1
             ? Status(Ok{})
             : wrong(fmt::format("credit {} with one of {} slots taken", ready.credit,
                                 t.hello().slots));
}

Status fills_its_slots(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(5));
  BETATUNE_CHECK(t.begin());
  if (t.hello().slots < 2) return skipped("it has one slot");
  const Assign first = t.assign(), second = t.assign();
  BETATUNE_TRY(const Done one, t.expect<Done>());
  BETATUNE_TRY(const Done other,
               t.expect<Done>([&](const Done& each) { return each.trial != one.trial; }));
  const bool both = std::min(one.trial, other.trial) == first.trial &&
                    std::max(one.trial, other.trial) == second.trial;
  return both ? Status(Ok{}) : wrong("other trials ended than those that were assigned");
}

Status runs_a_repeated_assign_once(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  BETATUNE_TRY(const Report later,
               t.expect<Report>([](const Report& each) { return each.seq >= 4; }));
  t.send(assign);
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  // The first report was acknowledged long before: it is not due again.
  const std::vector<Report> all = reports_of(t, assign);
  const auto fourth = std::ranges::find(all, later.seq, &Report::seq);
  if (std::any_of(fourth, all.end(), [](const Report& each) { return each.seq == 1; })) {
    return wrong("it began the attempt again");
  }
  return t.never<Done>(milliseconds(700));
}

Status ignores_an_older_epoch(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  Assign old = t.make_assign(TrialId{0}, 1);
  old.epoch = t.terms.epoch - 1;
  t.send(old);
  return t.never<Report>(milliseconds(1'500));
}

Status ignores_an_older_attempt(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(5));
  BETATUNE_CHECK(t.begin());
  const Assign current = t.assign(TrialId{0}, 2);
  BETATUNE_TRY(const Report report, t.expect<Report>());
  static_cast<void>(report);
  t.send(t.make_assign(TrialId{0}, 1));
  BETATUNE_TRY(const Done done, t.finish(current));
  return done.attempt == current.attempt ? Status(Ok{}) : wrong("it ran the older attempt");
}

/// Nothing more is said of an attempt that is to end.
Status has_ended(TrainerScript& t, const Assign& assign) {
  // What is on its way already.
  BETATUNE_CHECK(t.pass(seconds(1)));
  BETATUNE_CHECK(
      t.never<Report>(seconds(2), [&](const Report& each) { return is_of(assign, each); }));
  const bool held =
      std::ranges::any_of(t.beat().held, [&](const Held& each) { return is_of(assign, each); });
  if (held) return wrong("its BEAT still names the attempt");
  // And its slot is free.
  const Assign next = t.assign();
  BETATUNE_TRY(const Done done, t.finish(next));
  static_cast<void>(done);
  return Ok{};
}

template <const char* const* code>
Status ends_at_error(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  t.unmentioned.insert(assign.trial);
  t.send(Refusal{*code, false, "", assign.trial, assign.attempt});
  return has_ended(t, assign);
}
constexpr const char* kStale = "stale_attempt";
constexpr const char* kConflict = "conflict";
constexpr const char* kMalformed = "malformed";
constexpr const char* kUnknown = "of_tomorrow";

Status ends_what_a_beat_drops(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  t.disowned.insert(assign.trial);
  return has_ended(t, assign);
}

Status ends_what_a_welcome_drops(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  BETATUNE_TRY(const Hello hello, t.rejoin());
  t.unmentioned.insert(assign.trial);
  t.welcome({}, hello.held);
  return has_ended(t, assign);
}

Status ends_what_a_welcome_leaves_out(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  BETATUNE_TRY(const Hello hello, t.rejoin());
  static_cast<void>(hello);
  t.unmentioned.insert(assign.trial);
  t.welcome();
  return has_ended(t, assign);
}

Status ends_what_a_newer_attempt_replaces(TrainerScript& t) {
  BETATUNE_TRY(const Assign old, t.begin_running(5));
  const Assign next = t.assign(old.trial, 2);
  BETATUNE_TRY(const Done done, t.finish(next));
  static_cast<void>(done);
  return t.never<Report>(seconds(1), [&](const Report& each) { return is_of(old, each); });
}

Status keeps_to_the_time_limit(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(5));
  BETATUNE_CHECK(t.begin());
  Assign assign = t.make_assign(TrialId{0}, 1);
  assign.job.wall_time_ms = 30;
  t.send(assign);
  BETATUNE_TRY(const Done done, t.expect<Done>());
  t.acknowledge(done);
  if (done.end == AttemptEnd::reached) return skipped("its trials are over before the limit");
  return done.end == AttemptEnd::failed && done.failure == FailureClass::timeout
             ? Status(Ok{})
             : wrong("it did not end as failed, timeout");
}

}  // namespace

std::vector<TrainerCase> trainer_attempt_cases() {
  using enum Level;
  return {
      {"T-ATTEMPT-1", must, "Attempt", "An assignment is run to its last step.", runs_to_the_end},
      {"T-ATTEMPT-2", must, "Delivery", "Reports are numbered 1, 2, 3 ..., DONE counts them.",
       numbers_reports},
      {"T-ATTEMPT-3", must, "REPORT", "Steps are above `from`, up to `until`.", steps_within},
      {"T-ATTEMPT-4", should, "REPORT", "Steps do not decrease.", steps_ascend},
      {"T-ATTEMPT-5", should, "REPORT", "The report at `until` has the objective.",
       reports_the_objective},
      {"T-ATTEMPT-6", must, "Reconciliation", "A BEAT names what runs, with the last seq made.",
       holds_while_running},
      {"T-ATTEMPT-7", must, "Reconciliation", "An attempt is held until its DONE is acknowledged.",
       holds_until_acknowledged},
      {"T-ATTEMPT-8", must, "Credit", "After a trial there is credit for the next.",
       is_ready_again},
      {"T-ATTEMPT-9", must, "Credit", "Credit leaves out the slots that are taken.",
       credit_counts_what_runs},
      {"T-ATTEMPT-10", must, "Credit", "As many trials run at once as it offered slots.",
       fills_its_slots},
      {"T-ATTEMPT-11", must, "Delivery", "An ASSIGN that comes twice is run once.",
       runs_a_repeated_assign_once},
      {"T-ATTEMPT-12", must, "Reconciliation", "An ASSIGN of an older epoch is ignored.",
       ignores_an_older_epoch},
      {"T-ATTEMPT-13", must, "Attempt", "An ASSIGN of an older attempt is ignored.",
       ignores_an_older_attempt},
      {"T-ATTEMPT-14", must, "Attempt", "stale_attempt ends the attempt.", ends_at_error<&kStale>},
      {"T-ATTEMPT-15", must, "Attempt", "conflict ends the attempt.", ends_at_error<&kConflict>},
      {"T-ATTEMPT-16", must, "Attempt", "malformed, about an attempt, ends it.",
       ends_at_error<&kMalformed>},
      {"T-ATTEMPT-17", must, "Error codes", "So does a code that it does not know.",
       ends_at_error<&kUnknown>},
      {"T-ATTEMPT-18", must, "Reconciliation", "What a BEAT drops is ended.",
       ends_what_a_beat_drops},
      {"T-ATTEMPT-19", must, "Reconciliation", "What a WELCOME drops is ended.",
       ends_what_a_welcome_drops},
      {"T-ATTEMPT-20", must, "WELCOME", "What is in neither of its lists is ended.",
       ends_what_a_welcome_leaves_out},
      {"T-ATTEMPT-21", must, "Attempt", "A newer attempt of a trial ends the older one.",
       ends_what_a_newer_attempt_replaces},
      {"T-ATTEMPT-22", should, "Time", "job.wall_time_ms ends an attempt as failed, timeout.",
       keeps_to_the_time_limit},
  };
}

}  // namespace betatune::tck
