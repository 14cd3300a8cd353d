/// How a trainer greets, beats, and leaves.

#include <algorithm>
#include <csignal>
#include <fmt/format.h>

#include "optimizer/tck/trainer_cases.hpp"
#include "searchspaces/limits.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Status begins_with_hello(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  const bool first = t.transcript().size() == 1;
  return first && !hello.session.empty() ? Status(Ok{}) : wrong("something came before HELLO");
}

Status session_is_random(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  const bool hex = std::ranges::all_of(hello.session, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
  if (hex && hello.session.size() == 32) return Ok{};
  return wrong("session is `" + hello.session + "`, not 32 hex digits");
}

Status name_fits(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  if (!hello.trainer.empty() && hello.trainer.size() <= limits::kNameBytes) return Ok{};
  return wrong(fmt::format("its name has {} bytes", hello.trainer.size()));
}

Status speaks_version_one(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  if (hello.protocol_min <= 1 && hello.protocol_max >= 1) return Ok{};
  return wrong(fmt::format("it speaks {} to {}", hello.protocol_min, hello.protocol_max));
}

Status slots_in_bounds(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  if (hello.slots >= 1 && hello.slots <= limits::kSlotsPerTrainer) return Ok{};
  return wrong(fmt::format("it offers {} slots", hello.slots));
}

Status holds_nothing_at_first(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  return hello.held.empty() ? Status(Ok{}) : wrong("it holds what nobody gave it");
}

Status leaves_its_routing_id(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  // A ROUTER gives ids of five bytes that begin with a zero. source: zmq_socket(3)
  if (t.peer().size() == 5 && t.peer().front() == '\0') return Ok{};
  return wrong("it has set a routing id");
}

Status says_nothing_before_welcome(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  BETATUNE_CHECK(t.pass(seconds(2)));
  const bool only_hellos = std::ranges::all_of(
      t.transcript(), [](const std::string& each) { return each.starts_with("T> HELLO"); });
  return only_hellos ? Status(Ok{}) : wrong("it went on without a WELCOME");
}

Status greets_again(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello first, t.expect<Hello>());
  BETATUNE_TRY(const Hello second, t.expect<Hello>(seconds(15), [](const Hello&) { return true; }));
  if (second.trainer != first.trainer) return wrong("its name has changed");
  return second.session != first.session ? Status(Ok{})
                                         : wrong("the new connection has the old session");
}

Status is_ready_after_welcome(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  if (t.ready().credit >= 1 && t.ready().credit <= t.hello().slots) return Ok{};
  return wrong(fmt::format("credit is {} of {} slots", t.ready().credit, t.hello().slots));
}

Status beats_while_idle(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  for (int i = 0; i < 4; ++i) {
    BETATUNE_TRY(const Beat beat, t.expect<Beat>(seconds(2), [](const Beat&) { return true; }));
    if (!beat.held.empty()) return wrong("it says that it holds something");
  }
  return Ok{};
}

Status ready_with_every_beat(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  for (int i = 0; i < 3; ++i) {
    BETATUNE_TRY(const Beat beat, t.expect<Beat>());
    static_cast<void>(beat);
    BETATUNE_TRY(const Ready ready, t.expect<Ready>(seconds(2), [](const Ready&) { return true; }));
    if (ready.credit < 1) return wrong("an idle trainer says credit 0");
  }
  return Ok{};
}

/// The trainer lives on after `odd`, which it must ignore.
Status lives_on(TrainerScript& t) {
  for (int i = 0; i < 2; ++i) {
    BETATUNE_TRY(const Beat beat, t.expect<Beat>(seconds(3), [](const Beat&) { return true; }));
    static_cast<void>(beat);
  }
  if (!t.process().running()) return wrong("it has exited");
  const Assign assign = t.assign();
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  return Ok{};
}

Status ignores_unknown_fields(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  t.send_frames(edited(t.terms, [](Json& body) {
    body["of_tomorrow"] = {{"deep", {1, 2, 3}}};
    body["keep"] = Json::array();
  }));
  BETATUNE_TRY(const Ready ready, t.expect<Ready>());
  static_cast<void>(ready);
  return lives_on(t);
}

Status ignores_unknown_verbs(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send_frames({"BTP1", "OF_TOMORROW", "{\"x\": 1}"});
  return lives_on(t);
}

Status ignores_what_it_cannot_read(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send_frames({"BTP1", "ASSIGN", "{\"trial\": "});
  t.send_frames({"BTP1", "ASSIGN", "[]"});
  t.send_frames({"BTP1", "ACK", "{}"});
  t.send_frames({"HTTP", "GET", "/"});
  t.send_frames({"BTP1"});
  t.send_frames({""});
  return lives_on(t);
}

Status ignores_reserved_frames(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Assign assign = t.make_assign(TrialId{0}, 1);
  Frames frames = encode_message(assign);
  frames.insert(frames.end(), {"blob", std::string(100, '\0')});
  t.send_frames(frames);
  BETATUNE_TRY(const Done done, t.finish(assign));
  static_cast<void>(done);
  return Ok{};
}

Status ignores_a_second_welcome(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.welcome();
  return lives_on(t);
}

Status takes_silence_for_a_broken_connection(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.answers_beats = false;
  const std::string session = t.hello().session;
  BETATUNE_TRY(const Hello again, t.expect<Hello>(seconds(10), [](const Hello&) { return true; }));
  return again.session != session ? Status(Ok{}) : wrong("the old session again");
}

Status begins_anew_when_not_welcome(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  const Hello before = t.hello();
  const PeerId peer = t.peer();
  BETATUNE_TRY(const Hello again, t.rejoin());
  if (again.session == before.session) return wrong("the old session again");
  if (again.trainer != before.trainer) return wrong("under another name");
  if (t.peer() == peer) return wrong("on the old connection");
  t.welcome();
  BETATUNE_TRY(const Ready ready, t.expect<Ready>());
  static_cast<void>(ready);
  return Ok{};
}

Status exits_on_a_fatal_error(TrainerScript& t) {
  BETATUNE_CHECK(t.start());
  BETATUNE_TRY(const Hello hello, t.expect<Hello>());
  static_cast<void>(hello);
  t.send(Refusal{"bad_version", true, "no", {}, {}});
  return t.exits(seconds(15));
}

Status exits_on_a_fatal_error_of_tomorrow(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send(Refusal{"of_tomorrow", true, "no", {}, {}});
  return t.exits(seconds(15));
}

Status goes_on_after_an_unknown_error(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send(Refusal{"of_tomorrow", false, "hm", {}, {}});
  return lives_on(t);
}

Status leaves_at_bye(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send(Bye{"the study is over", true});
  return t.exits(seconds(15));
}

Status says_goodbye(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.send(Bye{"the study is over", true});
  BETATUNE_TRY(const Bye bye, t.expect<Bye>(seconds(15), [](const Bye&) { return true; }));
  return bye.drain ? wrong("its BYE has drain true although it holds nothing") : Status(Ok{});
}

Status takes_no_more_when_draining(TrainerScript& t) {
  BETATUNE_TRY(const Assign first, t.begin_running(5));
  t.send(Bye{"drained", true});
  BETATUNE_TRY(const Done done, t.finish(first));
  if (done.end != AttemptEnd::reached) return wrong("it did not finish what it held");
  return t.exits(seconds(15));
}

Status ends_at_once(TrainerScript& t) {
  BETATUNE_CHECK(t.needs_steps(5));
  BETATUNE_CHECK(t.begin());
  t.assign();
  BETATUNE_TRY(const Report report, t.expect<Report>());
  static_cast<void>(report);
  t.send(Bye{"cancelled", false});
  return t.exits(seconds(15));
}

Status leaves_at_sigterm(TrainerScript& t) {
  BETATUNE_CHECK(t.begin());
  t.process().signal(SIGTERM);
  return t.exits(seconds(15));
}

}  // namespace

std::vector<TrainerCase> trainer_session_cases() {
  using enum Level;
  return {
      {"T-SESSION-1", must, "Session", "A connection begins with HELLO.", begins_with_hello},
      {"T-SESSION-2", must, "HELLO", "A session is 128 random bits in hex.", session_is_random},
      {"T-SESSION-3", must, "HELLO", "A name has 1 to 128 bytes.", name_fits},
      {"T-SESSION-4", must, "Versions", "The versions that it speaks include 1.",
       speaks_version_one},
      {"T-SESSION-5", must, "HELLO", "It offers 1 to 4096 slots.", slots_in_bounds},
      {"T-SESSION-6", must, "Session", "A fresh trainer holds nothing.", holds_nothing_at_first},
      {"T-SESSION-7", must, "Transport", "It sets no routing id.", leaves_its_routing_id},
      {"T-SESSION-8", must, "Session", "Before WELCOME it says nothing but HELLO.",
       says_nothing_before_welcome},
      {"T-SESSION-9", may, "Session", "Without a WELCOME it says HELLO in a new connection.",
       greets_again},
      {"T-SESSION-10", must, "Credit", "After WELCOME it says READY with credit up to its slots.",
       is_ready_after_welcome},
      {"T-SESSION-11", must, "Reconciliation", "It beats while idle, and holds nothing then.",
       beats_while_idle},
      {"T-SESSION-12", must, "Credit", "READY is repeated with every BEAT.", ready_with_every_beat},
      {"T-SESSION-13", must, "Messages", "Fields that it does not know are ignored.",
       ignores_unknown_fields},
      {"T-SESSION-14", must, "Messages", "Verbs that it does not know are ignored.",
       ignores_unknown_verbs},
      {"T-SESSION-15", must, "Messages", "What cannot be read is ignored.",
       ignores_what_it_cannot_read},
      {"T-SESSION-16", must, "Messages", "Reserved frames are ignored.", ignores_reserved_frames},
      {"T-SESSION-17", must, "Session", "A second WELCOME is ignored.", ignores_a_second_welcome},
      {"T-SESSION-18", should, "Session",
       "Silence of two and a half beats is taken for a broken connection.",
       takes_silence_for_a_broken_connection},
      {"T-SESSION-19", must, "Session",
       "After not_welcome it begins a new session, under the same name, in a new connection.",
       begins_anew_when_not_welcome},
      {"T-SESSION-20", must, "Session", "A fatal ERROR ends it.", exits_on_a_fatal_error},
      {"T-SESSION-21", must, "Error codes", "So does a fatal ERROR that it does not know.",
       exits_on_a_fatal_error_of_tomorrow},
      {"T-SESSION-22", must, "Error codes",
       "An ERROR that it does not know, not fatal and about no attempt, ends nothing.",
       goes_on_after_an_unknown_error},
      {"T-SESSION-23", must, "Session", "BYE ends an idle trainer.", leaves_at_bye},
      {"T-SESSION-24", must, "Session", "It says BYE with drain false before it leaves.",
       says_goodbye},
      {"T-SESSION-25", must, "Session", "BYE with drain true lets it finish what it holds.",
       takes_no_more_when_draining},
      {"T-SESSION-26", must, "Session", "BYE with drain false ends it at once.", ends_at_once},
      {"T-SESSION-27", should, "Session", "SIGTERM ends an idle trainer.", leaves_at_sigterm},
  };
}

}  // namespace betatune::tck
