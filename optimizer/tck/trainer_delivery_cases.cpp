/// Reports and DONEs that are not acknowledged, and connections that break.

#include <algorithm>
#include <fmt/format.h>

#include "optimizer/tck/trainer_cases.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A trial has run to its end and nothing of it was acknowledged.
Result<std::pair<Assign, Done>> run_unheard(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.acknowledges = false;
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.expect<Done>());
  return std::pair(assign, done);
}

/// The reports `from` to `to` come (again), each with the content that it had before.
Status come_again(TrainerScript& t, const Assign& assign, std::uint64_t from, std::uint64_t to) {
  std::map<std::uint64_t, Report> before;
  for (const Report& each : t.reports()) {
    if (is_of(assign, each)) before.emplace(each.seq, each);
  }
  for (std::uint64_t seq = from; seq <= to; ++seq) {
    BETATUNE_TRY(const Report again, t.expect<Report>([&](const Report& each) {
      return is_of(assign, each) && each.seq == seq;
    }));
    const Report& first = before.at(seq);
    if (again.step != first.step || again.metrics != first.metrics) {
      return wrong(fmt::format("report {} came again with another content", seq));
    }
  }
  return Ok{};
}

Status offers_after_welcome(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  BETATUNE_TRY(const Hello hello, t.rejoin());
  static_cast<void>(hello);
  t.welcome({Held{assign.trial, assign.attempt, 0, 0}});
  BETATUNE_CHECK(come_again(t, assign, 1, done.final_seq));
  BETATUNE_TRY(const Done again, t.expect<Done>());
  return again.final_seq == done.final_seq ? Status(Ok{}) : wrong("DONE says another final_seq");
}

Status names_it_in_hello(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  BETATUNE_TRY(const Hello hello, t.rejoin());
  const auto found =
      std::ranges::find_if(hello.held, [&](const Held& each) { return is_of(ran.first, each); });
  if (found == hello.held.end()) return wrong("HELLO does not name an attempt that it holds");
  return found->last_seq == done.final_seq ? Status(Ok{})
                                           : wrong(fmt::format("last_seq is {} of {} reports made",
                                                               found->last_seq, done.final_seq));
}

Status goes_on_behind_what_is_durable(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(3));
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  if (done.final_seq < 2) return skipped("it made one report");
  BETATUNE_TRY(const Hello hello, t.rejoin());
  static_cast<void>(hello);
  t.welcome({Held{assign.trial, assign.attempt, done.final_seq - 1, 0}});
  return come_again(t, assign, done.final_seq, done.final_seq);
}

Status repeats_done(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.assign();
  BETATUNE_TRY(const Done first, t.expect<Done>());
  for (int i = 0; i < 2; ++i) {
    BETATUNE_TRY(const Done again, t.expect<Done>());
    if (again.final_seq != first.final_seq || again.end != first.end) {
      return wrong("DONE came again with another content");
    }
  }
  t.acknowledge(first);
  BETATUNE_CHECK(t.pass(milliseconds(500)));
  return t.never<Done>(seconds(4));
}

Status repeats_done_soon(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.assign();
  BETATUNE_TRY(const Done first, t.expect<Done>());
  static_cast<void>(first);
  BETATUNE_TRY(const Done again,
               t.expect<Done>(milliseconds(4'000), [](const Done&) { return true; }));
  static_cast<void>(again);
  return Ok{};
}

Status answers_missing_reports(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  t.send(Refusal{"missing_reports", false, "1 to the end", assign.trial, assign.attempt});
  BETATUNE_CHECK(come_again(t, assign, 1, done.final_seq));
  BETATUNE_TRY(const Done again, t.expect<Done>());
  t.acknowledge(again);
  return Ok{};
}

Status offers_by_the_clock(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto until = seconds(12);
  BETATUNE_TRY(const Report again, t.expect<Report>(until, [&](const Report& each) {
    return each.seq == 1 && is_of(ran.first, each);
  }));
  static_cast<void>(again);
  return Ok{};
}

Status forgets_what_an_ack_covers(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(3));
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  if (done.final_seq < 2) return skipped("it made one report");
  t.send(Ack{assign.trial, assign.attempt, done.final_seq - 1, false});
  t.send(Refusal{"missing_reports", false, "the last", assign.trial, assign.attempt});
  return come_again(t, assign, done.final_seq, done.final_seq);
}

Status survives_an_older_ack(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  t.send(Ack{assign.trial, assign.attempt, done.final_seq, false});
  t.send(Ack{assign.trial, assign.attempt, 1, false});
  t.send(Ack{TrialId{4711}, AttemptId{1}, 3, true});
  BETATUNE_TRY(const Done again, t.expect<Done>());
  t.acknowledge(again);
  return t.pass(milliseconds(500));
}

Status comes_back(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  const Report first = t.reports().front();
  BETATUNE_CHECK(t.break_connection());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  if (hello.held.empty()) return wrong("it came back without its work");
  t.welcome({Held{assign.trial, assign.attempt, first.seq, first.step}});
  BETATUNE_TRY(const Done done, t.finish(assign));
  return done.end == AttemptEnd::reached ? Status(Ok{}) : wrong("its work did not go on");
}

Status seq_goes_on(TrainerScript& t) {
  BETATUNE_TRY(const Assign assign, t.begin_running(5));
  const Report first = t.reports().front();
  BETATUNE_CHECK(t.break_connection());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  t.welcome({Held{assign.trial, assign.attempt, first.seq, first.step}});
  BETATUNE_TRY(const Done done, t.finish(assign));
  std::map<std::uint64_t, Step> steps;
  for (const Report& each : t.reports()) {
    const auto [found, fresh] = steps.emplace(each.seq, each.step);
    if (!fresh && found->second != each.step) {
      return wrong(fmt::format("seq {} stands for two reports", each.seq));
    }
  }
  return steps.size() == done.final_seq ? Status(Ok{}) : wrong("reports are missing");
}

Status trains_on_while_away(TrainerScript& t) {
  BETATUNE_TRY(const auto ran, run_unheard(t));
  const auto& [assign, done] = ran;
  BETATUNE_CHECK(t.break_connection());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  t.acknowledges = true;
  t.welcome({Held{assign.trial, assign.attempt, 0, 0}});
  BETATUNE_TRY(const Done again, t.expect<Done>());
  t.acknowledge(again);
  return again.final_seq == done.final_seq ? Status(Ok{}) : wrong("what was done is not told");
}

Status accepts_no_answer_of_another_connection(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const std::string first = t.hello().session;
  for (int i = 0; i < 2; ++i) {
    BETATUNE_CHECK(t.break_connection());
    BETATUNE_TRY(const Hello hello, t.expect<Hello>());
    if (hello.session == first) return wrong("the first session again");
    t.welcome();
    BETATUNE_TRY(const Ready ready, t.expect<Ready>());
    static_cast<void>(ready);
  }
  return Ok{};
}

}  // namespace

std::vector<TrainerCase> trainer_delivery_cases() {
  using enum Level;
  return {
      {"T-DELIVERY-1", must, "Delivery",
       "What is not acknowledged is offered again after WELCOME, in order and unchanged.",
       offers_after_welcome},
      {"T-DELIVERY-2", must, "Session", "HELLO names an attempt that ended unacknowledged.",
       names_it_in_hello},
      {"T-DELIVERY-3", must, "Reconciliation", "It goes on behind what WELCOME says is durable.",
       goes_on_behind_what_is_durable},
      {"T-DELIVERY-4", must, "Delivery", "DONE is repeated until ACK.done, and not after it.",
       repeats_done},
      {"T-DELIVERY-5", should, "Attempt", "DONE is repeated after about two seconds.",
       repeats_done_soon},
      {"T-DELIVERY-6", must, "Delivery",
       "missing_reports is answered by the reports, then by DONE.", answers_missing_reports},
      {"T-DELIVERY-7", should, "Delivery", "Reports are offered again after 5 s without progress.",
       offers_by_the_clock},
      {"T-DELIVERY-8", must, "Delivery", "What an ACK does not cover is kept.",
       forgets_what_an_ack_covers},
      {"T-DELIVERY-9", must, "Delivery", "An older ACK, or one of nothing, takes nothing back.",
       survives_an_older_ack},
      {"T-DELIVERY-10", must, "Reconciliation", "After a broken connection its work goes on.",
       comes_back},
      {"T-DELIVERY-11", must, "Delivery", "seq goes on over sessions.", seq_goes_on},
      {"T-DELIVERY-12", must, "Reconciliation", "What was done while nobody heard it is told.",
       trains_on_while_away},
      {"T-DELIVERY-13", must, "Session", "Every connection has a session of its own.",
       accepts_no_answer_of_another_connection},
  };
}

}  // namespace betatune::tck
