/// How an optimizer greets, gives work out, and ends.

#include <fmt/format.h>
#include <set>

#include "optimizer/tck/optimizer_cases.hpp"
#include "searchspaces/limits.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Status welcomes(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Welcome welcome, o.trainer().hello());
  return welcome.protocol == 1 ? Status(Ok{}) : wrong("WELCOME says another version");
}

Status gives_terms(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Welcome welcome, o.trainer().hello());
  if (welcome.epoch < 1) return wrong("epoch is below 1");
  if (welcome.lease_ms != 2'000) return wrong("lease_ms is not server.lease of the study");
  return welcome.study == "tck" ? Status(Ok{}) : wrong("study is not the study's name");
}

Status refuses_other_versions(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  Hello hello = t.make_hello();
  hello.protocol_min = 2;
  hello.protocol_max = 3;
  t.send(hello);
  BETATUNE_TRY(const Refusal refusal, t.refused("bad_version"));
  return refusal.fatal ? Status(Ok{}) : wrong("it is not fatal");
}

Status takes_ranges_with_one(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  Hello hello = t.make_hello();
  hello.protocol_max = 9;
  t.send(hello);
  BETATUNE_TRY(const Welcome welcome, t.expect<Welcome>());
  return welcome.protocol == 1 ? Status(Ok{}) : wrong("WELCOME says another version");
}

template <class M>
Status not_welcome(OptimizerScript& o, const M& message) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  t.send(message);
  BETATUNE_TRY(const Refusal refusal, t.refused("not_welcome"));
  return refusal.fatal ? wrong("it is fatal") : Status(Ok{});
}
Status ready_needs_hello(OptimizerScript& o) {
  return not_welcome(o, Ready{1});
}
Status beat_needs_hello(OptimizerScript& o) {
  return not_welcome(o, Beat{1, {}, {}});
}
Status report_needs_hello(OptimizerScript& o) {
  return not_welcome(o, Report{TrialId{0}, AttemptId{1}, 1, 1, {{"loss", 1}}, {}});
}
Status done_needs_hello(OptimizerScript& o) {
  return not_welcome(
      o, Done{TrialId{0}, AttemptId{1}, 0, 1, AttemptEnd::failed, FailureClass::user, ""});
}

/// A HELLO that is refused for good; one that is fine is welcome after it.
Status refuses_hello(OptimizerScript& o, const char* code, const std::function<void(Json&)>& edit) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  t.send_frames(edited(t.make_hello(), edit));
  BETATUNE_TRY(const Refusal refusal, t.expect<Refusal>());
  if (refusal.code != code && refusal.code != "malformed") {
    return wrong("ERROR `" + refusal.code + "` where `" + code + "` is due");
  }
  if (!refusal.fatal) return wrong("it is not fatal: a trainer would say it again and again");
  BETATUNE_TRY(const Welcome welcome, o.trainer("kit-2").hello());
  static_cast<void>(welcome);
  return Ok{};
}
Status needs_slots(OptimizerScript& o) {
  return refuses_hello(o, "too_many_slots", [](Json& body) { body["slots"] = 0; });
}
Status bounds_slots(OptimizerScript& o) {
  return refuses_hello(o, "too_many_slots",
                       [](Json& body) { body["slots"] = limits::kSlotsPerTrainer + 1; });
}
Status needs_a_name(OptimizerScript& o) {
  return refuses_hello(o, "malformed", [](Json& body) { body["trainer"] = ""; });
}
Status bounds_names(OptimizerScript& o) {
  return refuses_hello(o, "malformed", [](Json& body) {
    body["trainer"] = std::string(limits::kNameBytes + 1, 'n');
  });
}
Status needs_required_fields(OptimizerScript& o) {
  return refuses_hello(o, "malformed", [](Json& body) { body.erase("session"); });
}
Status needs_right_types(OptimizerScript& o) {
  return refuses_hello(o, "malformed", [](Json& body) { body["slots"] = "two"; });
}

Status needs_plain_names(OptimizerScript& o) {
  return refuses_hello(o, "malformed", [](Json& body) { body["trainer"] = "kit\x1b[2J"; });
}

Status assigns_by_credit(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello(4));
  static_cast<void>(welcome);
  BETATUNE_CHECK(t.never<Assign>(milliseconds(500)));
  t.send(Ready{2});
  for (int i = 0; i < 2; ++i) {
    BETATUNE_TRY(const Assign assign, t.expect<Assign>());
    static_cast<void>(assign);
  }
  return t.never<Assign>(milliseconds(700));
}

Status nothing_at_credit_zero(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello(2));
  static_cast<void>(welcome);
  t.send(Ready{0});
  return t.never<Assign>(milliseconds(700));
}

Status never_more_than_slots(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello(2));
  static_cast<void>(welcome);
  for (int i = 0; i < 3; ++i) t.send(Ready{100});
  for (int i = 0; i < 2; ++i) {
    BETATUNE_TRY(const Assign assign, t.expect<Assign>());
    static_cast<void>(assign);
  }
  return t.never<Assign>(milliseconds(700));
}

Status assigns_what_the_study_says(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  BETATUNE_TRY(const Assign assign, o.trainer().begin());
  const auto x = assign.params.find("x");
  double value = -1;
  if (x == assign.params.end() || !to_number(x->second, &value) || value < 0 || value > 1) {
    return wrong("params are not of the study's space");
  }
  if (assign.from != 0 || assign.until != 5) return wrong("it is not to train from 0 to 5");
  if (assign.attempt != AttemptId{1}) return wrong("a fresh trial's attempt is not 1");
  if (assign.seed >= (std::uint64_t{1} << 53u)) return wrong("seed does not fit a double");
  return assign.job.objective == "loss" ? Status(Ok{}) : wrong("job.objective is not `loss`");
}

Status trials_differ(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello(8));
  static_cast<void>(welcome);
  t.send(Ready{8});
  std::set<std::uint64_t> trials, seeds;
  std::set<Configuration> configurations;
  for (int i = 0; i < 8; ++i) {
    BETATUNE_TRY(const Assign assign, t.expect<Assign>());
    trials.insert(assign.trial.n);
    seeds.insert(assign.seed);
    configurations.insert(assign.params);
  }
  const bool fine = trials.size() == 8 && seeds.size() == 8 && configurations.size() == 8;
  return fine ? Status(Ok{}) : wrong("trials, seeds or configurations repeat");
}

Status answers_beats(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  static_cast<void>(welcome);
  return t.is_known();
}

Status says_bye_at_the_end(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.run(assign));
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  return o.process().wait(seconds(20)) ? Status(Ok{}) : wrong("it still runs");
}

Status keeps_the_budget(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(5));
  Trainer& t = o.trainer();
  BETATUNE_TRY(Assign assign, t.begin());
  std::set<std::uint64_t> trials;
  for (int i = 0; i < 5; ++i) {
    trials.insert(assign.trial.n);
    BETATUNE_CHECK(t.run(assign));
    if (i == 4) break;
    BETATUNE_TRY(assign, t.next_assign());
  }
  t.send(Ready{1});
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  return trials.size() == 5 ? Status(Ok{}) : wrong("a trial was run twice");
}

Status gives_a_leaving_trainer_nothing(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin(2));
  t.send(Bye{"maintenance", true});
  BETATUNE_CHECK(t.run(assign));
  t.send(Ready{2});
  return t.never<Assign>(seconds(1), [&](const Assign& each) { return each.trial > TrialId{1}; });
}

Status forgets_who_said_goodbye(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  static_cast<void>(welcome);
  t.send(Bye{"", false});
  t.send(Ready{1});
  BETATUNE_TRY(const Refusal refusal, t.refused("not_welcome"));
  static_cast<void>(refusal);
  return Ok{};
}

}  // namespace

std::vector<OptimizerCase> optimizer_session_cases() {
  using enum Level;
  return {
      {"O-SESSION-1", must, "Session", "HELLO is answered by WELCOME.", welcomes},
      {"O-SESSION-2", must, "WELCOME", "WELCOME has the study's name, its lease and an epoch.",
       gives_terms},
      {"O-SESSION-3", must, "Versions", "Without a common version: bad_version, fatal.",
       refuses_other_versions},
      {"O-SESSION-4", must, "Versions", "A range that includes 1 gets 1.", takes_ranges_with_one},
      {"O-SESSION-5", must, "Session", "READY before HELLO: not_welcome.", ready_needs_hello},
      {"O-SESSION-6", must, "Session", "BEAT before HELLO: not_welcome.", beat_needs_hello},
      {"O-SESSION-7", must, "Session", "REPORT before HELLO: not_welcome.", report_needs_hello},
      {"O-SESSION-8", must, "Session", "DONE before HELLO: not_welcome.", done_needs_hello},
      {"O-SESSION-9", must, "HELLO", "A trainer without slots is refused.", needs_slots},
      {"O-SESSION-10", must, "Limits", "More than 4096 slots are refused.", bounds_slots},
      {"O-SESSION-11", must, "HELLO", "A trainer without a name is refused.", needs_a_name},
      {"O-SESSION-12", must, "Limits", "A name of more than 128 bytes is refused.", bounds_names},
      {"O-SESSION-13", must, "HELLO", "A HELLO without a required field is refused.",
       needs_required_fields},
      {"O-SESSION-14", must, "HELLO", "A field of another type is refused.", needs_right_types},
      {"O-SESSION-15", must, "Credit", "Nothing before READY, then as many as its credit.",
       assigns_by_credit},
      {"O-SESSION-16", must, "Credit", "Nothing at credit 0.", nothing_at_credit_zero},
      {"O-SESSION-17", must, "Credit", "Never more at a trainer than its slots.",
       never_more_than_slots},
      {"O-SESSION-18", must, "ASSIGN", "An ASSIGN is what the study says.",
       assigns_what_the_study_says},
      {"O-SESSION-19", must, "ASSIGN", "Trials have ids, seeds and configurations of their own.",
       trials_differ},
      {"O-SESSION-20", must, "Reconciliation", "A BEAT is answered by a BEAT.", answers_beats},
      {"O-SESSION-21", must, "Session", "At the end of the study it says BYE, and exits.",
       says_bye_at_the_end},
      {"O-SESSION-22", must, "Session", "The budget is kept exactly.", keeps_the_budget},
      {"O-SESSION-23", must, "Session", "After BYE with drain true a trainer gets nothing more.",
       gives_a_leaving_trainer_nothing},
      {"O-SESSION-24", must, "Session", "After BYE with drain false it is not known any more.",
       forgets_who_said_goodbye},
      {"O-SESSION-25", must, "Limits", "A name with control characters is refused.",
       needs_plain_names},
  };
}

}  // namespace betatune::tck
