/// Which checkpoint an attempt is to go on from.

#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"

namespace betatune::tck {
namespace {

/// Steps 1 and 2 of a new trial, each with a checkpoint of its own; then it pauses unasked.
Result<Assign> leave_two_checkpoints(Trainer& t) {
  BETATUNE_TRY(const Assign assign, t.begin());
  for (const int step : {1, 2}) {
    Report report{assign.trial,
                  assign.attempt,
                  static_cast<std::uint64_t>(step),
                  step,
                  {{"loss", 0.5}},
                  ArtifactRef{fmt::format("checkpoints/kit/{}", step), step, 1}};
    t.send(report);
    BETATUNE_TRY(const Ack ack, t.expect<Ack>());
    static_cast<void>(ack);
  }
  BETATUNE_TRY(const Ack ack, t.done(assign, 2, AttemptEnd::paused));
  static_cast<void>(ack);
  return assign;
}

Status is_from(const Assign& assign, TrialId trial, Step step) {
  if (assign.trial != trial) return wrong("another trial is given out, and not the one that waits");
  if (assign.from != step) {
    return wrong(fmt::format("it goes on from step {}, not {}", assign.from, step));
  }
  if (step == 0) {
    return assign.resume_from ? wrong("it has a resume_from, at step 0") : Status(Ok{});
  }
  if (!assign.resume_from) return wrong("it has no resume_from");
  const std::string expected = fmt::format("checkpoints/kit/{}", step);
  return assign.resume_from->uri == expected && assign.resume_from->step == step
             ? Status(Ok{})
             : wrong("resume_from is " + assign.resume_from->uri + ", not " + expected);
}

Result<Assign> next_after_damage(Trainer& t, const Assign& assign) {
  BETATUNE_TRY(const Ack ack, t.done(assign, 0, AttemptEnd::failed, FailureClass::checkpoint));
  static_cast<void>(ack);
  return t.next_assign();
}

Status goes_on_from_the_newest(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign first, leave_two_checkpoints(t));
  BETATUNE_TRY(const Assign second, t.next_assign());
  return is_from(second, first.trial, 2);
}

Status falls_back(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign first, leave_two_checkpoints(t));
  BETATUNE_TRY(const Assign second, t.next_assign());
  BETATUNE_CHECK(is_from(second, first.trial, 2));
  BETATUNE_TRY(const Assign third, next_after_damage(t, second));
  BETATUNE_CHECK(is_from(third, first.trial, 1));
  BETATUNE_TRY(const Assign fourth, next_after_damage(t, third));
  BETATUNE_CHECK(is_from(fourth, first.trial, 0));
  return t.run(fourth);
}

Status remembers_the_damage(OptimizerScript& o) {
  BETATUNE_CHECK(o.start());
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign first, leave_two_checkpoints(t));
  BETATUNE_TRY(const Assign second, t.next_assign());
  BETATUNE_TRY(const Ack ack, t.done(second, 0, AttemptEnd::failed, FailureClass::checkpoint));
  static_cast<void>(ack);
  o.kill_optimizer();
  BETATUNE_CHECK(o.start_again());
  BETATUNE_TRY(const Assign third, o.trainer("kit-2").begin());
  return is_from(third, first.trial, 1);
}

}  // namespace

std::vector<OptimizerCase> optimizer_checkpoint_cases() {
  using enum Level;
  return {
      {"O-CHECKPOINT-1", must, "Checkpoints", "An attempt goes on from the newest checkpoint.",
       goes_on_from_the_newest},
      {"O-CHECKPOINT-2", must, "Checkpoints",
       "A checkpoint that was found damaged is not offered again, but the one before.", falls_back},
      {"O-CHECKPOINT-3", must, "Checkpoints", "After a kill as well.", remembers_the_damage},
  };
}

}  // namespace betatune::tck
