// The trainer's state tables of docs/protocol.md, row by row, against the core of betatune-trainer.

#include "tests/support/protocol_tables.hpp"
#include "tests/support/trainer_in_state.hpp"

namespace betatune {
namespace {

using support::assignment;
using support::kBeat;
using support::kTrial0;
using support::SeenStep;
using support::TrainerInState;

using Happens = std::function<void(TrainerInState&)>;

SeenStep in_session(TrainerInState& trainer, const Happens& happens) {
  SeenStep step;
  step.before = trainer.session();
  trainer.said.clear();
  happens(trainer);
  step.said = support::words_of(trainer.said);
  step.next = trainer.session();
  return step;
}
SeenStep of_attempt(TrainerInState& trainer, const Happens& happens, const WorkKey& key = kTrial0) {
  SeenStep step;
  step.before = trainer.attempt(key);
  trainer.said.clear();
  happens(trainer);
  step.said = support::words_of(trainer.said);
  step.next = trainer.attempt(key);
  return step;
}

/// Of a trainer that is welcome, and of one that leaves; both hold an attempt.
std::vector<SeenStep> welcome_and_leaving(const std::vector<Happens>& ways,
                                          const Happens& afterwards = {}) {
  std::vector<SeenStep> steps;
  for (const bool leaves : {false, true}) {
    for (const Happens& way : ways) {
      TrainerInState trainer;
      trainer.begin();
      if (leaves) trainer.hear(Bye{"over", true});
      steps.push_back(in_session(trainer, way));
      EXPECT_EQ(trainer.attempt(), "running") << "work goes on";
      if (afterwards) afterwards(trainer);
    }
  }
  return steps;
}

std::vector<SeenStep> start_and_return() {
  TrainerInState fresh, lost;
  lost.begin();
  lost.lose_connection();
  const Happens connect = [](TrainerInState& trainer) { trainer.connect(); };
  std::vector<SeenStep> steps{in_session(fresh, connect), in_session(lost, connect)};
  EXPECT_EQ(std::get<Hello>(lost.said.back()).held.size(), 1u);
  return steps;
}

std::vector<SeenStep> welcomes() {
  std::vector<SeenStep> steps;
  TrainerInState fresh;
  fresh.connect();
  steps.push_back(in_session(fresh, [](TrainerInState& trainer) { trainer.welcome(); }));
  for (const bool leaves : {false, true}) {
    TrainerInState back;
    back.begin();
    if (leaves) back.hear(Bye{"over", true});
    back.lose_connection();
    back.connect();
    steps.push_back(in_session(back, [](TrainerInState& trainer) {
      trainer.welcome({{kTrial0.trial, kTrial0.attempt, 0, 0}});
    }));
    EXPECT_EQ(back.attempt(), "running");
  }
  return steps;
}

std::vector<SeenStep> no_answer() {
  TrainerInState trainer;
  trainer.connect();
  return {in_session(trainer, [](TrainerInState& each) { each.pass(Milliseconds(1'001)); })};
}

std::vector<SeenStep> fatal_errors() {
  std::vector<SeenStep> steps;
  for (const char* code : {"bad_version", "bad_token", "bad_key", "too_many_slots", "malformed"}) {
    for (const bool welcome : {false, true}) {
      TrainerInState trainer;
      trainer.connect();
      if (welcome) trainer.welcome();
      steps.push_back(in_session(trainer, [&](TrainerInState& each) {
        each.hear(Refusal{code, true, "", {}, {}});
      }));
    }
  }
  return steps;
}

std::vector<SeenStep> anything_before_welcome() {
  std::vector<SeenStep> steps;
  for (const Message& message :
       {Message(assignment(1, 1)), Message(Ack{}), Message(Decision{}), Message(Beat{}),
        Message(Bye{"", true}), Message(Refusal{"not_welcome", false, "", {}, {}}),
        Message(Hello{}), Message(Refusal{"stale_attempt", false, "", TrialId{0}, AttemptId{1}})}) {
    TrainerInState trainer;
    trainer.begin();
    trainer.lose_connection();
    trainer.connect();
    steps.push_back(in_session(trainer, [&](TrainerInState& each) { each.hear(message); }));
    EXPECT_EQ(trainer.core().work().size(), 1u);
    EXPECT_EQ(trainer.attempt(), "running");
    trainer.welcome({{kTrial0.trial, kTrial0.attempt, 0, 0}});
    EXPECT_EQ(trainer.session(), "welcome");
  }
  return steps;
}

std::vector<SeenStep> goodbyes() {
  std::vector<SeenStep> steps;
  for (const bool own : {false, true}) {
    TrainerInState trainer;
    trainer.begin();
    steps.push_back(in_session(trainer, [&](TrainerInState& each) {
      if (own)
        each.drain();
      else
        each.hear(Bye{"over", true});
    }));
    EXPECT_EQ(trainer.attempt(), "running") << "it finishes what it holds";
  }
  return steps;
}

std::vector<SeenStep> nothing_held() {
  TrainerInState trainer;
  trainer.begin();
  trainer.hear(Bye{"over", true});
  trainer.end_work();
  const SeenStep step =
      in_session(trainer, [](TrainerInState& each) { each.acknowledge(0, true); });
  EXPECT_FALSE(std::get<Bye>(trainer.said.back()).drain);
  return {step};
}

TEST(ProtocolStates, OfASessionAreTheTrainers) {
  const std::vector<Happens> losses = {[](TrainerInState& trainer) { trainer.lose_connection(); },
                                       [](TrainerInState& trainer) { trainer.pass(kBeat * 3); },
                                       [](TrainerInState& trainer) {
                                         trainer.hear(Refusal{"not_welcome", false, "", {}, {}});
                                       }};
  support::expect_table(
      "The trainer's side:", {"HELLO", "READY", "BEAT", "BYE", "REPORT", "DONE"},
      {{"none | start, or a new session is due", start_and_return},
       {"greeting | WELCOME", welcomes},
       {"greeting | no answer in time", no_answer},
       {"greeting, welcome | ERROR, `fatal`", fatal_errors},
       {"greeting | anything else", anything_before_welcome},
       {"welcome, leaving | connection lost, silence, ERROR `not_welcome`",
        [&] {
          return welcome_and_leaving(losses, [](TrainerInState& trainer) {
            trainer.said.clear();
            trainer.report(1);
            EXPECT_TRUE(trainer.said.empty()) << "its reports wait";
          });
        }},
       {"welcome, leaving | WELCOME",
        [] { return welcome_and_leaving({[](TrainerInState& trainer) { trainer.welcome(); }}); }},
       {"welcome, leaving | `beat_ms` is over",
        [] { return welcome_and_leaving({[](TrainerInState& trainer) { trainer.pass(kBeat); }}); }},
       {"welcome | BYE, or its own wish to leave", goodbyes},
       {"leaving | nothing is held any more", nothing_held}});
}

// ---- per attempt
// ---------------------------------------------------------------------------------

std::vector<SeenStep> assigned() {
  TrainerInState trainer;
  trainer.connect();
  trainer.welcome();
  return {of_attempt(trainer, [](TrainerInState& each) { each.hear(assignment(0, 1)); })};
}

std::vector<SeenStep> assigned_in_vain() {
  TrainerInState fresh, busy;
  fresh.connect();
  fresh.welcome();
  busy.connect();
  busy.welcome();
  busy.hear(assignment(0, 2));
  std::vector<SeenStep> steps{
      of_attempt(fresh, [](TrainerInState& each) { each.hear(assignment(0, 1, 1)); }),
      of_attempt(busy, [](TrainerInState& each) { each.hear(assignment(0, 1)); })};
  busy.hear(assignment(0, 2));
  EXPECT_EQ(busy.core().work().size(), 1u);
  EXPECT_FALSE(busy.ended_work);
  return steps;
}

std::vector<SeenStep> result() {
  TrainerInState trainer;
  trainer.begin();
  const Happens report = [](TrainerInState& each) {
    each.report(each.core().work().begin()->second.step + 1);
  };
  std::vector<SeenStep> steps{of_attempt(trainer, report), of_attempt(trainer, report)};
  EXPECT_EQ(std::get<Report>(trainer.said.back()).seq, 2u);
  EXPECT_EQ(trainer.core().work().at(kTrial0).reports.size(), 2u) << "kept";
  trainer.acknowledge(2);
  EXPECT_TRUE(trainer.core().work().at(kTrial0).reports.empty());
  return steps;
}

std::vector<SeenStep> decisions() {
  std::vector<SeenStep> steps;
  for (const Action action : {Action::stop, Action::pause}) {
    TrainerInState trainer;
    trainer.begin();
    steps.push_back(of_attempt(trainer, [&](TrainerInState& each) {
      each.hear(Decision{kTrial0.trial, kTrial0.attempt, action, ""});
    }));
    EXPECT_FALSE(trainer.ended_work) << "by itself";
  }
  return steps;
}

/// Over, with two reports that are not acknowledged.
TrainerInState over() {
  TrainerInState trainer;
  trainer.begin();
  trainer.report(1);
  trainer.report(9);
  trainer.end_work();
  return trainer;
}

std::vector<SeenStep> over_now() {
  TrainerInState trainer;
  trainer.begin();
  trainer.report(9);
  const SeenStep step = of_attempt(trainer, [](TrainerInState& each) { each.end_work(); });
  EXPECT_EQ(std::get<Done>(trainer.said.front()).final_seq, 1u);
  return {step};
}

std::vector<SeenStep> missing_reports() {
  TrainerInState trainer = over();
  const SeenStep step = of_attempt(trainer, [](TrainerInState& each) {
    each.hear(Refusal{"missing_reports", false, "", kTrial0.trial, kTrial0.attempt});
  });
  EXPECT_EQ(trainer.said.size(), 4u) << "two reports, the DONE, and READY";
  EXPECT_TRUE(trainer.said.size() > 2 && std::holds_alternative<Done>(trainer.said[2]));
  return {step};
}

std::vector<SeenStep> ended_by_others() {
  const auto refusal = [](const char* code) {
    return [code](TrainerInState& trainer) {
      trainer.hear(Refusal{code, false, "", kTrial0.trial, kTrial0.attempt});
    };
  };
  const std::vector<Happens> ways = {
      refusal("stale_attempt"),
      refusal("conflict"),
      refusal("malformed"),
      [](TrainerInState& trainer) {
        trainer.hear(Beat{2, {}, {{kTrial0.trial, kTrial0.attempt, 0, 0}}});
      },
      [](TrainerInState& trainer) {
        trainer.lose_connection();
        trainer.connect();
        trainer.welcome();
      },
      [](TrainerInState& trainer) { trainer.hear(assignment(0, 2)); }};
  std::vector<SeenStep> steps;
  for (const Happens& way : ways) {
    TrainerInState running, ended = over();
    running.begin();
    steps.push_back(of_attempt(running, way));
    EXPECT_TRUE(running.ended_work) << "by force";
    steps.push_back(of_attempt(ended, way));
  }
  return steps;
}

TEST(ProtocolStates, OfAnAttemptAreTheTrainers) {
  support::expect_table(
      "The trainer's side. *Ends* means", {"REPORT", "DONE"},
      {{"- | ASSIGN", assigned},
       {"- | ASSIGN of an epoch below WELCOME's, or of an attempt at or below one that it holds of "
        "that trial",
        assigned_in_vain},
       {"running | a result at a step", result},
       {"running | DECISION `stop` or `pause`", decisions},
       {"running | the work is over", over_now},
       {"ended | `ACK.done`",
        [] {
          TrainerInState trainer = over();
          return std::vector{
              of_attempt(trainer, [](TrainerInState& each) { each.acknowledge(2, true); })};
        }},
       {"ended | 2 s without `ACK.done` (SHOULD)",
        [] {
          TrainerInState trainer = over();
          return std::vector{
              of_attempt(trainer, [](TrainerInState& each) { each.pass(Milliseconds(2'000)); })};
        }},
       {"ended | ERROR `missing_reports`", missing_reports},
       {"running, ended | `stale_attempt`, `conflict`, `malformed` for it; in `drop`; in neither "
        "list "
        "of a WELCOME; ASSIGN of a newer attempt of its trial",
        ended_by_others}});
}

}  // namespace
}  // namespace betatune
