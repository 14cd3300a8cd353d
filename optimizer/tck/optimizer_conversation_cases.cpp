/// Whole conversations, one for each thing that a trainer has to know: with `--transcripts` they
/// are the appendix of docs/protocol.md.

#include <cmath>
#include <csignal>
#include <fmt/format.h>

#include "optimizer/tck/optimizer_cases.hpp"
#include "transport/digest.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune::tck {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kSection = "Appendix: transcripts";
/// For a process that was killed to be missed by its socket.
constexpr milliseconds kNoticed{300};

/// DONE, the study's end, and the trainer's.
Status to_the_end(Trainer& t, const Assign& assign, std::uint64_t final_seq) {
  BETATUNE_TRY(const Ack ack, t.done(assign, final_seq));
  static_cast<void>(ack);
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  t.send(Bye{"done", false});
  return Ok{};
}

Status one_trial(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  BETATUNE_CHECK(t.report(assign, 2, 3, 0.375));
  BETATUNE_CHECK(t.report(assign, 3, 5, 0.25));
  return to_the_end(t, assign, 3);
}

Status is_stopped(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(Report{assign.trial, assign.attempt, 1, 1, {{"loss", std::nan("")}}, {}});
  BETATUNE_TRY(const Decision decision, t.expect<Decision>());
  if (decision.action != Action::stop) return wrong("it does not say stop");
  t.send(Done{assign.trial, assign.attempt, 1, 1, AttemptEnd::stopped, {}, ""});
  BETATUNE_TRY(const Ack ack, t.expect<Ack>([](const Ack& each) { return each.done; }));
  static_cast<void>(ack);
  BETATUNE_TRY(const Bye bye, t.expect<Bye>());
  static_cast<void>(bye);
  return Ok{};
}

ArtifactRef checkpoint_at(const Assign& assign, Step step, const std::string& list) {
  ArtifactRef out{fmt::format("checkpoints/trial-{}/attempt-{}-step-{}", assign.trial.n,
                              assign.attempt.n, step),
                  step, 0};
  out.digest = digest_of(list);
  return out;
}

Status goes_on_from(Trainer& t, const ArtifactRef& artifact, Assign& next) {
  BETATUNE_TRY(next, t.expect<Assign>());
  if (!next.resume_from || next.resume_from->uri != artifact.uri) {
    return wrong("it does not go on from the checkpoint that was reported");
  }
  return next.from == artifact.step ? Status(Ok{}) : wrong("`from` is not its step");
}

Status is_paused_and_goes_on(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  o.process().signal(SIGTERM);
  BETATUNE_TRY(const Decision decision, t.expect<Decision>());
  if (decision.action != Action::pause) return wrong("it does not say pause");
  const ArtifactRef saved = checkpoint_at(assign, 2, "");
  t.send(Report{assign.trial, assign.attempt, 2, 2, {{"loss", 0.375}}, saved});
  t.send(Done{assign.trial, assign.attempt, 2, 2, AttemptEnd::paused, {}, ""});
  BETATUNE_TRY(const Ack ack, t.expect<Ack>([](const Ack& each) { return each.done; }));
  static_cast<void>(ack);
  t.send(Bye{"done", false});
  if (!o.process().wait(seconds(20))) return wrong("it still runs");
  BETATUNE_CHECK(o.start_again());
  t.reconnect();
  BETATUNE_TRY(const Welcome welcome, t.hello());
  static_cast<void>(welcome);
  t.send(Ready{1});
  Assign next;
  BETATUNE_CHECK(goes_on_from(t, saved, next));
  BETATUNE_CHECK(t.report(next, 1, 5, 0.25));
  return to_the_end(t, next, 1);
}

Status the_optimizer_is_killed(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  o.kill_optimizer();
  BETATUNE_CHECK(t.never<Ack>(kNoticed));
  BETATUNE_CHECK(o.start_again());
  // ZeroMQ connects again by itself, with a connection that nobody knows.
  t.send(Report{assign.trial, assign.attempt, 2, 3, {{"loss", 0.375}}, {}});
  BETATUNE_TRY(const Refusal refusal, t.refused("not_welcome"));
  static_cast<void>(refusal);
  t.reconnect();
  BETATUNE_TRY(const Welcome welcome, t.hello(1, {Held{assign.trial, assign.attempt, 2, 3}}));
  if (welcome.keep.size() != 1 || welcome.keep[0].last_seq != 1) {
    return wrong("it does not keep what was acknowledged, and no more");
  }
  BETATUNE_CHECK(t.report(assign, 2, 3, 0.375));
  BETATUNE_CHECK(t.report(assign, 3, 5, 0.25));
  return to_the_end(t, assign, 3);
}

Status both_say_what_they_hold(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  t.send(Beat{assign.epoch,
              {Held{assign.trial, assign.attempt, 2, 2}, Held{TrialId{7}, AttemptId{1}, 3, 3}},
              {}});
  BETATUNE_TRY(const Beat beat, t.expect<Beat>());
  return beat.held.size() == 1 && beat.drop.size() == 1
             ? Status(Ok{})
             : wrong("it does not hold the one and drop the other");
}

Status refuses(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  Hello newer = t.make_hello();
  newer.protocol_min = newer.protocol_max = 9;
  t.send(newer);
  BETATUNE_TRY(const Refusal version, t.refused("bad_version"));
  if (!version.fatal) return wrong("bad_version is not fatal");
  t.reconnect();
  BETATUNE_TRY(const Assign assign, t.begin());
  t.send(Done{assign.trial, assign.attempt, 1, 1, AttemptEnd::reached, {}, ""});
  BETATUNE_TRY(const Refusal missing, t.refused("missing_reports"));
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  BETATUNE_CHECK(t.report(assign, 1, 1, 0.5));
  t.send(Report{assign.trial, assign.attempt, 1, 1, {{"loss", 0.25}}, {}});
  BETATUNE_TRY(const Refusal conflict, t.refused("conflict"));
  t.send(Report{assign.trial, assign.attempt, 2, 2, {{"loss", 0.5}}, {}});
  BETATUNE_TRY(const Refusal stale, t.refused("stale_attempt"));
  const bool fatal = missing.fatal || conflict.fatal || stale.fatal;
  return fatal ? wrong("what is about one attempt is fatal") : Status(Ok{});
}

/// A file of one part.
Result<FileStored> put(Trainer& t, const Assign& assign, const std::string& path,
                       const std::string& bytes) {
  t.send(PutFile{assign.trial, assign.attempt, checkpoint_at(assign, 1, "").uri, path, bytes.size(),
                 digest_of(bytes), 0, bytes});
  return t.expect<FileStored>();
}

Status files_travel(OptimizerScript& o) {
  BETATUNE_CHECK(o.start(1));
  Trainer& t = o.trainer();
  BETATUNE_TRY(const Assign assign, t.begin());
  const std::string model = "weights", list = digest_of(model) + "  model\n";
  ArtifactRef saved = checkpoint_at(assign, 1, list);
  saved.bytes = model.size() + list.size();
  BETATUNE_TRY(const FileStored first, put(t, assign, "model", model));
  BETATUNE_TRY(const FileStored last, put(t, assign, kSumsName, list));
  if (first.complete || !last.complete) return wrong("it is not complete with its list");
  t.send(Report{assign.trial, assign.attempt, 1, 1, {{"loss", 0.5}}, saved});
  t.send(Done{assign.trial, assign.attempt, 1, 1, AttemptEnd::paused, {}, ""});
  BETATUNE_TRY(const Ack ack, t.expect<Ack>([](const Ack& each) { return each.done; }));
  static_cast<void>(ack);
  t.send(Ready{1});
  Assign next;
  BETATUNE_CHECK(goes_on_from(t, saved, next));
  for (const auto& [path, bytes] : {std::pair(kSumsName, list), std::pair("model", model)}) {
    t.send(GetFile{next.trial, next.attempt, saved.uri, path, 0});
    BETATUNE_TRY(const FileData data, t.expect<FileData>());
    if (data.bytes != bytes) return wrong(std::string(path) + " is not what was sent");
  }
  BETATUNE_CHECK(t.report(next, 1, 5, 0.25));
  return to_the_end(t, next, 1);
}

}  // namespace

std::vector<OptimizerCase> optimizer_conversation_cases() {
  using enum Level;
  return {
      {"O-CONVERSATION-1", must, kSection, "A trial of five steps, from HELLO to BYE.", one_trial},
      {"O-CONVERSATION-2", must, kSection, "A trial whose loss is not finite is stopped.",
       is_stopped},
      {"O-CONVERSATION-3", may, kSection,
       "SIGTERM pauses a trial; with the next start it goes on from its checkpoint.",
       is_paused_and_goes_on},
      {"O-CONVERSATION-4", must, kSection,
       "The optimizer is killed and started again; the trainer offers what was not acknowledged.",
       the_optimizer_is_killed},
      {"O-CONVERSATION-5", must, kSection, "BEAT: what both sides believe runs.",
       both_say_what_they_hold},
      {"O-CONVERSATION-6", must, kSection, "What is refused, and what may be said twice.", refuses},
      {"O-CONVERSATION-7", must, kSection, "A checkpoint travels to the optimizer, and back.",
       files_travel},
  };
}

}  // namespace betatune::tck
