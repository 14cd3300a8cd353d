// The optimizer's state tables of docs/protocol.md, row by row, against the coordinator.

#include "optimizer/gate.hpp"
#include "optimizer/protocol_schema.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "tests/support/protocol_tables.hpp"
#include "tests/support/temporary_directory.hpp"
#include "transport/codec.hpp"
#include "transport/folder_exchange.hpp"

namespace betatune {
namespace {

using support::Scenario;
using support::SeenStep;
using test::Harness;
using test::small_study;
using test::stepped_study;
using namespace std::chrono_literals;

Hello hello_of(const std::string& trainer, const std::string& session,
               std::vector<Held> held = {}) {
  return Hello{1, 1, trainer, session, "", 1, "", std::move(held)};
}

std::vector<Message> messages_of(const std::vector<Outgoing>& sent) {
  std::vector<Message> messages;
  for (const Outgoing& each : sent) messages.push_back(each.message);
  return messages;
}

/// "unknown", "known" or "leaving".
std::string connection_state(const Harness& shell, const PeerId& peer) {
  const Roster& roster = const_cast<Harness&>(shell).coordinator().roster();
  if (!roster.knows(peer)) return "unknown";
  for (const auto& [name, trainer] : roster.all()) {
    if (trainer.peer == peer && trainer.leaving) return "leaving";
  }
  return "known";
}

std::string trial_state(const Harness& shell) {
  switch (shell.trial(0).state) {
    case TrialState::created:
      return "waiting";
    case TrialState::running:
      return "running";
    case TrialState::paused:
      return "paused";
    case TrialState::closed:
      break;
  }
  return "closed";
}

/// One peer, "t", and what it hears.
SeenStep on_connection(Harness& shell, const std::function<void()>& happens) {
  SeenStep step;
  step.before = connection_state(shell, "t");
  shell.sent.clear();
  happens();
  step.said = support::words_of(messages_of(shell.sent));
  step.next = connection_state(shell, "t");
  return step;
}
SeenStep on_trial(Harness& shell, const std::function<void()>& happens) {
  SeenStep step;
  step.before = trial_state(shell);
  shell.sent.clear();
  happens();
  step.said = support::words_of(messages_of(shell.sent));
  step.next = trial_state(shell);
  return step;
}

std::vector<SeenStep> refused_hellos() {
  std::vector<SeenStep> steps;
  CoordinatorOptions options;
  options.token = "secret";
  Harness shell(small_study(), {}, options);
  for (const Hello& hello :
       {Hello{2, 3, "t", "s", "secret", 1, "", {}}, Hello{1, 1, "t", "s", "secreT", 1, "", {}},
        Hello{1, 1, "t", "s", "secret", 0, "", {}}, Hello{1, 1, "", "s", "secret", 1, "", {}}}) {
    steps.push_back(on_connection(shell, [&] { shell.say("t", hello); }));
    EXPECT_TRUE(shell.all_sent<Refusal>().back().fatal);
  }
  const Frames unreadable = {"BTP1", "HELLO", "{}"};
  const Refusal answer = refusal_of(decode_message(unreadable).error(), unreadable);
  EXPECT_TRUE(answer.fatal);
  steps.push_back({support::words_of({answer}), "unknown", "unknown"});
  const support::TemporaryDirectory folder;
  ZmqContext context;
  asio::io_context loop;
  Gate gate(context, loop, KeyRing::open(folder / "keys").value(), "");
  const auto refusal = gate.objection({"t", {}, "key"}, hello_of("t", "s"), Roster());
  EXPECT_TRUE(refusal && refusal->fatal);
  if (refusal) steps.push_back({support::words_of({*refusal}), "unknown", "unknown"});
  return steps;
}

std::vector<SeenStep> accepted_hellos() {
  Harness shell(small_study()), over(small_study());
  over.give(CancelRequest{});
  return {on_connection(shell, [&] { shell.say("t", hello_of("t", "s")); }),
          on_connection(over, [&] { over.say("t", hello_of("t", "s")); })};
}

std::vector<SeenStep> anything_before_hello() {
  std::vector<SeenStep> steps;
  for (const Message& message :
       {Message(Ready{1}), Message(Report{}), Message(Done{}), Message(Beat{}), Message(Bye{}),
        Message(PutFile{}), Message(GetFile{}), Message(Welcome{}), Message(Assign{})}) {
    Harness shell(small_study());
    steps.push_back(on_connection(shell, [&] { shell.say("t", message); }));
  }
  return steps;
}

std::vector<SeenStep> repeated_hello() {
  Harness shell(small_study());
  shell.say("t", hello_of("t", "s"));
  shell.say("t", Ready{1});
  const SeenStep step = on_connection(shell, [&] { shell.say("t", hello_of("t", "s")); });
  EXPECT_EQ(trial_state(shell), "running") << "it loses nothing";
  return {step};
}

std::vector<SeenStep> hello_of_another_session() {
  Harness shell(small_study());
  shell.begin("t");
  const SeenStep step = on_connection(shell, [&] { shell.say("t", hello_of("t", "another")); });
  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  return {step};
}

/// What the coordinator admits is answered by the exchange.
std::vector<SeenStep> files() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  const support::TemporaryDirectory folder;
  FolderExchange exchange(folder.path());
  const std::string logs = "trials/0/attempt-1",
                    checkpoint = "checkpoints/trial-0/attempt-1-step-1";
  const PutFile put{at.trial, at.attempt, logs, "log", 1, digest_of("x"), 0, "x"};
  const GetFile get{at.trial, at.attempt, checkpoint, "B2SUMS", 0};
  std::vector<SeenStep> steps;
  EXPECT_TRUE(shell.coordinator().step(Received{"t", put}, shell.now).admits_file);
  const auto stored = exchange.put(put);
  EXPECT_TRUE(stored);
  if (stored) steps.push_back({support::words_of({*stored}), "known", "known"});
  steps.push_back({support::words_of({exchange.get(get)}), "known", "known"});
  // It did not go on from a checkpoint; and there is no such attempt.
  steps.push_back(on_connection(shell, [&] { shell.say("t", get); }));
  PutFile stale = put;
  stale.attempt = AttemptId{7};
  steps.push_back(on_connection(shell, [&] { shell.say("t", stale); }));
  return steps;
}

std::vector<SeenStep> verbs_of_the_optimizer() {
  Harness shell(small_study());
  shell.join("t");
  std::vector<SeenStep> steps;
  for (const Message& message :
       {Message(Welcome{}), Message(Assign{}), Message(Ack{}), Message(Decision{}),
        Message(Refusal{}), Message(FileStored{}), Message(FileData{})}) {
    steps.push_back(on_connection(shell, [&] { shell.say("t", message); }));
  }
  return steps;
}

std::vector<SeenStep> bye_to_drain() {
  Harness shell(small_study());
  const Assign at = shell.begin("t");
  const SeenStep step = on_connection(shell, [&] { shell.say("t", Bye{"", true}); });
  EXPECT_EQ(trial_state(shell), "running") << "it finishes what it holds";
  shell.finish_trial("t", at, 0.5);
  EXPECT_FALSE(shell.has_sent<Assign>());
  return {step};
}

std::vector<SeenStep> ends_of_a_connection(const std::function<void(Harness&)>& happens,
                                           bool charged) {
  std::vector<SeenStep> steps;
  for (const bool leaving : {false, true}) {
    Harness shell(small_study());
    shell.begin("t");
    if (leaving) shell.say("t", Bye{"", true});
    steps.push_back(on_connection(shell, [&] { happens(shell); }));
    EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
    EXPECT_EQ(shell.trial(0).failures.size(), charged ? 1u : 0u);
  }
  return steps;
}

std::set<std::string> verbs_and_codes(std::set<std::string> verbs) {
  for (const ErrorCode& each : kErrorCodes) verbs.insert(each.code);
  return verbs;
}

TEST(ProtocolStates, OfAConnectionAreTheOptimizers) {
  support::expect_table(
      "The optimizer's side, per connection:",
      verbs_and_codes({"HELLO", "WELCOME", "READY", "ASSIGN", "REPORT", "ACK", "DECISION", "DONE",
                       "BEAT", "BYE", "ERROR", "PUT", "STORED", "GET", "DATA"}),
      {{"unknown | HELLO that it refuses, or cannot read", refused_hellos},
       {"unknown | HELLO", accepted_hellos},
       {"unknown | anything else", anything_before_hello},
       {"known | HELLO of the same session again", repeated_hello},
       {"known | HELLO of another session", hello_of_another_session},
       {"known | PUT, GET", files},
       {"known | a verb of the optimizer's own", verbs_of_the_optimizer},
       {"known | BYE, `drain` true", bye_to_drain},
       {"known, leaving | BYE, `drain` false",
        [] {
          return ends_of_a_connection(
              [](Harness& shell) {
                shell.say("t", Bye{"", false});
              },
              false);
        }},
       {"known, leaving | no message for `lease_ms`",
        [] { return ends_of_a_connection([](Harness& shell) { shell.tick(31s); }, true); }}});
}

// ---- per trial
// -----------------------------------------------------------------------------------

std::vector<SeenStep> credit() {
  StudySpec spec = small_study();
  spec.trials.retry.user = 1;
  Harness shell(spec);
  const Assign first = shell.begin("t");
  shell.done("t", first, 0, AttemptEnd::failed, FailureClass::user);
  const SeenStep step = on_trial(shell, [&] { shell.say("t", Ready{1}); });
  EXPECT_EQ(shell.only_sent<Assign>().attempt, AttemptId{2});
  return {step};
}

std::vector<SeenStep> next_report() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  std::vector<SeenStep> steps{on_trial(shell, [&] { shell.report("t", at, 1, 1, 0.5); })};
  steps.push_back(on_trial(shell, [&] { shell.report("t", at, 2, 2, NAN); }));
  EXPECT_EQ(shell.facts<Reported>().size(), 2u);
  return steps;
}

std::vector<SeenStep> repeated_report() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, NAN);
  std::vector<SeenStep> steps{on_trial(shell, [&] { shell.report("t", at, 1, 1, NAN); })};
  EXPECT_FALSE(shell.has_sent<Decision>());
  EXPECT_EQ(shell.facts<Reported>().size(), 1u);
  steps.push_back(on_trial(shell, [&] {
    shell.say("t", Beat{1, {Held{at.trial, at.attempt, 1, 1}}, {}});
  }));
  return steps;
}

std::vector<SeenStep> conflicting_report() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.5);
  const SeenStep step = on_trial(shell, [&] { shell.report("t", at, 1, 1, 0.25); });
  EXPECT_EQ(shell.facts<ReportConflicted>().size(), 1u);
  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  return {step};
}

std::vector<SeenStep> report_beyond_a_gap() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.5);
  const SeenStep step = on_trial(shell, [&] { shell.report("t", at, 3, 3, 0.5); });
  EXPECT_EQ(shell.only_sent<Ack>().seq, 1u);
  return {step};
}

std::vector<SeenStep> done_too_early() {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.5);
  return {on_trial(shell, [&] { shell.done("t", at, 2); })};
}

std::vector<SeenStep> ends_of_an_attempt() {
  std::vector<SeenStep> steps;
  Harness rung(stepped_study(9, "asha"));
  const Assign to_rung = rung.begin("t");
  EXPECT_LT(to_rung.until, 9);
  rung.report_saved("t", to_rung, 1, to_rung.until);
  steps.push_back(on_trial(rung, [&] { rung.done("t", to_rung, 1); }));
  EXPECT_TRUE(rung.only_sent<Ack>().done);

  StudySpec retried = small_study();
  retried.trials.retry.user = 1;
  Harness fails(retried);
  const Assign to_fail = fails.begin("t");
  steps.push_back(on_trial(
      fails, [&] { fails.done("t", to_fail, 0, AttemptEnd::failed, FailureClass::user); }));

  Harness whole(small_study());
  const Assign at = whole.begin("t");
  whole.report("t", at, 1, 1, 0.5);
  steps.push_back(on_trial(whole, [&] { whole.done("t", at, 1); }));
  return steps;
}

std::vector<SeenStep> losses() {
  std::vector<SeenStep> steps;
  const auto lose = [&](const std::function<void(Harness&)>& happens) {
    Harness shell(stepped_study(9, "fifo"));
    const Assign at = shell.begin("t");
    shell.report("t", at, 1, 1, 0.5);
    shell.now += 6s;
    steps.push_back(on_trial(shell, [&] { happens(shell); }));
    EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
  };
  lose([](Harness& shell) { shell.tick(31s); });
  lose([](Harness& shell) { shell.say("t", hello_of("t", "another")); });
  lose([](Harness& shell) {
    for (int beat = 0; beat < 3; ++beat) shell.say("t", Beat{});
  });
  return steps;
}

std::vector<SeenStep> words_after_the_end() {
  std::vector<SeenStep> steps;
  Harness closed(small_study()), paused(stepped_study(9, "asha"));
  for (Harness* shell : {&closed, &paused}) {
    const Assign at = shell->begin("t");
    shell->report("t", at, 1, at.until, 0.5);
    shell->done("t", at, 1);
    steps.push_back(on_trial(*shell, [&] { shell->report("t", at, 1, at.until, 0.5); }));
    steps.push_back(on_trial(*shell, [&] { shell->done("t", at, 1); }));
  }
  EXPECT_NE(steps.front().before, steps.back().before);
  return steps;
}

std::vector<SeenStep> words_of_others() {
  std::vector<SeenStep> steps;
  const auto both = [&](Harness& shell, const PeerId& peer, const Assign& at) {
    steps.push_back(on_trial(shell, [&] { shell.report(peer, at, 1, 1, 0.5); }));
    steps.push_back(on_trial(shell, [&] { shell.done(peer, at, 0); }));
  };
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.say("other", hello_of("other", "s"));
  both(shell, "other", at);
  shell.say("t", hello_of("t", "another"));
  both(shell, "t", at);  // it was lost
  shell.say("t", Ready{1});
  both(shell, "t", at);  // another attempt runs
  EXPECT_EQ(trial_state(shell), "running");
  EXPECT_TRUE(shell.facts<Reported>().empty());
  return steps;
}

TEST(ProtocolStates, OfATrialAreTheOptimizers) {
  support::expect_table(
      "The optimizer's side, per trial:", verbs_and_codes({"ASSIGN", "ACK", "DECISION", "ERROR"}),
      {{"waiting | a trainer has credit", credit},
       {"running | REPORT, `seq` = last + 1", next_report},
       {"running | REPORT, `seq` known, same content", repeated_report},
       {"running | REPORT, `seq` known, another content", conflicting_report},
       {"running | REPORT beyond a gap", report_beyond_a_gap},
       {"running | DONE, `final_seq` > last", done_too_early},
       {"running | DONE", ends_of_an_attempt},
       {"running | lease over, name back without it, three BEATs without it", losses},
       {"not running | REPORT, DONE of the last attempt from its trainer, ended as it said",
        words_after_the_end},
       {"any | REPORT, DONE of another attempt, trainer, or of a lost one", words_of_others}});
}

}  // namespace
}  // namespace betatune
