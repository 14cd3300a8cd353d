/// What an optimizer makes of messages that it cannot read, or only just.

#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"
#include "searchspaces/limits.hpp"

namespace betatune::tck {
namespace {

/// A known trainer sends this; the answer is ERROR of that code, not fatal, and it is known as
/// before.
Status refuses(OptimizerScript& o, const Frames& frames, const char* code) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  static_cast<void>(welcome);
  t.send_frames(frames);
  BETATUNE_TRY(const Refusal refusal, t.refused(code));
  if (refusal.fatal) return wrong("it is fatal");
  return t.is_known();
}

/// A known trainer sends this READY, which is taken.
Status takes_ready(OptimizerScript& o, const Frames& frames) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  static_cast<void>(welcome);
  t.send_frames(frames);
  BETATUNE_TRY(const Assign assign, t.expect<Assign>());
  static_cast<void>(assign);
  return Ok{};
}

Report sample_report() {
  return Report{TrialId{0}, AttemptId{1}, 1, 1, {{"loss", 0.5}}, {}};
}

std::string nested(int depth) {
  return "{\"credit\": 1, \"x\": " + std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']') + "}";
}

Status unknown_verb(OptimizerScript& o) {
  return refuses(o, {"BTP1", "OF_TOMORROW", "{}"}, "unknown_verb");
}
Status verb_of_its_own(OptimizerScript& o) {
  return refuses(o, encode_message(Ack{TrialId{0}, AttemptId{1}, 1, false}), "unknown_verb");
}
Status no_json(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, "{\"credit\": "), "malformed");
}
Status no_object(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, "[1]"), "malformed");
}
Status empty_body(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, ""), "malformed");
}
Status two_keys_alike(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, R"({"credit": 1, "credit": 2})"), "malformed");
}
Status bare_nan(OptimizerScript& o) {
  return refuses(o,
                 with_body(sample_report(), R"({"trial": 0, "attempt": 1, "seq": 1, "step": 1,)"
                                            R"( "metrics": {"loss": NaN}})"),
                 "malformed");
}
Status fractions_are_no_integers(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, R"({"credit": 1.0})"), "malformed");
}
Status negative_credit(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, R"({"credit": -1})"), "malformed");
}
Status integers_beyond_64_bits(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, R"({"credit": 99999999999999999999999})"), "malformed");
}
Status no_utf8(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, "{\"credit\": 1, \"x\": \"\xff\xfe\"}"), "malformed");
}
Status too_deep(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, nested(limits::kBodyDepth)), "malformed");
}
Status very_deep(OptimizerScript& o) {
  return refuses(o, with_body(Ready{1}, nested(100'000)), "malformed");
}
Status too_many_keys(OptimizerScript& o) {
  Json body{{"credit", 1}};
  for (std::size_t i = 0; i < limits::kBodyKeys; ++i) body["k" + std::to_string(i)] = i;
  return refuses(o, with_body(Ready{1}, body.dump()), "malformed");
}
Status too_large(OptimizerScript& o) {
  const std::string filling(limits::kBodyBytes, 'x');
  return refuses(o, with_body(Ready{1}, R"({"credit": 1, "x": ")" + filling + "\"}"), "malformed");
}
Status too_many_frames(OptimizerScript& o) {
  Frames frames = encode_message(Ready{1});
  while (frames.size() <= limits::kFrames) frames.emplace_back("x");
  return refuses(o, frames, "malformed");
}
Status thousands_of_frames(OptimizerScript& o) {
  return refuses(o, Frames(8'000, "x"), "malformed");
}
Status too_few_frames(OptimizerScript& o) {
  return refuses(o, {"BTP1", "READY"}, "malformed");
}
Status one_empty_frame(OptimizerScript& o) {
  return refuses(o, {""}, "malformed");
}
Status another_tag(OptimizerScript& o) {
  Frames frames = encode_message(Ready{1});
  frames[0] = "BTP9";
  return refuses(o, frames, "malformed");
}
Status lower_case_verb(OptimizerScript& o) {
  Frames frames = encode_message(Ready{1});
  frames[1] = "ready";
  return refuses(o, frames, "unknown_verb");
}
Status too_many_metrics(OptimizerScript& o) {
  Report report = sample_report();
  for (std::size_t i = 0; i < limits::kMetricsPerReport; ++i) {
    report.metrics["m" + std::to_string(i)] = 1;
  }
  return refuses(o, encode_message(report), "malformed");
}
Status metrics_are_numbers(OptimizerScript& o) {
  return refuses(o, edited(sample_report(), [](Json& body) { body["metrics"]["loss"] = "low"; }),
                 "malformed");
}

Status unknown_fields(OptimizerScript& o) {
  return takes_ready(o, edited(Ready{1}, [](Json& body) {
                       body["of_tomorrow"] = {{"deep", {1, 2}}};
                     }));
}
Status null_is_left_out(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  t.send_frames(edited(t.make_hello(), [](Json& body) {
    body["sdk"] = nullptr;
    body["held"] = nullptr;
    body["token"] = nullptr;
  }));
  BETATUNE_TRY(const Welcome welcome, t.expect<Welcome>());
  static_cast<void>(welcome);
  return Ok{};
}
Status reserved_frames(OptimizerScript& o) {
  Frames frames = encode_message(Ready{1});
  frames.insert(frames.end(), {"blob", "", std::string(1'000, '\0')});
  return takes_ready(o, frames);
}

Status does_not_renew_the_lease(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  Trainer& other = o.trainer("kit-2");
  BETATUNE_TRY(const Assign its_own, other.begin());
  BETATUNE_CHECK(other.run(its_own));
  // The lease is 2 s: only what can be read keeps a trainer alive.
  for (int i = 0; i < 50; ++i) {
    t.send_frames({"BTP1", "BEAT", "{"});
    other.send(Beat{0, {}, {}});
    BETATUNE_CHECK(other.never<Bye>(Milliseconds(100)));
  }
  other.send(Ready{1});
  BETATUNE_TRY(const Assign again, other.expect<Assign>());
  return again.trial == assign.trial ? Status(Ok{})
                                     : wrong("the silent trainer's trial was not given to another");
}

}  // namespace

std::vector<OptimizerCase> optimizer_message_cases() {
  using enum Level;
  return {
      {"O-MESSAGE-1", must, "Messages", "An unknown verb: unknown_verb.", unknown_verb},
      {"O-MESSAGE-2", must, "Session", "A verb of the optimizer's own: unknown_verb.",
       verb_of_its_own},
      {"O-MESSAGE-3", must, "Messages", "A body that is not JSON.", no_json},
      {"O-MESSAGE-4", must, "Messages", "A body that is not an object.", no_object},
      {"O-MESSAGE-5", must, "Messages", "An empty body.", empty_body},
      {"O-MESSAGE-6", must, "Messages", "A key that appears twice.", two_keys_alike},
      {"O-MESSAGE-7", must, "Messages", "A bare NaN.", bare_nan},
      {"O-MESSAGE-8", must, "Messages", "1.0 where an integer is due.", fractions_are_no_integers},
      {"O-MESSAGE-9", must, "READY", "A negative credit.", negative_credit},
      {"O-MESSAGE-10", must, "Limits", "An integer beyond 64 bits.", integers_beyond_64_bits},
      {"O-MESSAGE-11", must, "Messages", "Bytes that are not UTF-8.", no_utf8},
      {"O-MESSAGE-12", must, "Limits", "One level too deep.", too_deep},
      {"O-MESSAGE-13", must, "Limits", "100,000 levels.", very_deep},
      {"O-MESSAGE-14", must, "Limits", "One key too many.", too_many_keys},
      {"O-MESSAGE-15", must, "Limits", "A body that is too large.", too_large},
      {"O-MESSAGE-16", must, "Limits", "One frame too many.", too_many_frames},
      {"O-MESSAGE-17", must, "Limits", "8,000 frames.", thousands_of_frames},
      {"O-MESSAGE-18", must, "Messages", "A message without a body.", too_few_frames},
      {"O-MESSAGE-19", must, "Messages", "A single empty frame.", one_empty_frame},
      {"O-MESSAGE-20", must, "Versions", "Another tag.", another_tag},
      {"O-MESSAGE-21", must, "Messages", "Verbs are in capitals.", lower_case_verb},
      {"O-MESSAGE-22", must, "Limits", "257 metrics.", too_many_metrics},
      {"O-MESSAGE-23", must, "REPORT", "A metric that is no number.", metrics_are_numbers},
      {"O-MESSAGE-24", must, "Messages", "Fields that it does not know are ignored.",
       unknown_fields},
      {"O-MESSAGE-25", must, "Messages", "null stands for an optional field that is left out.",
       null_is_left_out},
      {"O-MESSAGE-26", must, "Messages", "Reserved frames are ignored.", reserved_frames},
      {"O-MESSAGE-27", must, "Time", "A message that cannot be read renews no lease.",
       does_not_renew_the_lease},
  };
}

}  // namespace betatune::tck
