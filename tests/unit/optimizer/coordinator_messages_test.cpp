/// What trainers say besides reports and ends: hello, beats; and what is refused.

#include "tests/support/coordinator_harness.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::small_study;
using test::stepped_study;
using namespace std::chrono_literals;

TEST(CoordinatorBeat, RepeatsADecisionUntilTheTrainerObeys) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");
  shell.give(StopTrialRequest{at.trial});
  shell.sent.clear();

  shell.say("t", Beat{1, {Held{at.trial, at.attempt, 0, 0}}, {}});
  EXPECT_EQ(shell.only_sent<Decision>().action, Action::stop);
  shell.done("t", at, 0, AttemptEnd::stopped);

  EXPECT_EQ(shell.trial(0).outcome, Outcome::stopped);
  EXPECT_EQ(shell.facts<Decided>().size(), 1u);
}

TEST(CoordinatorBeat, SendsAnAssignmentAgainThatDidNotArrive) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");

  shell.say("t", Beat{});
  EXPECT_FALSE(shell.has_sent<Assign>()) << "it may still be on its way";
  shell.now += 6s;
  shell.say("t", Beat{});

  const Assign again = shell.only_sent<Assign>();
  EXPECT_EQ(again.trial, at.trial);
  EXPECT_EQ(again.attempt, at.attempt);
}

TEST(CoordinatorBeat, GivesUpWorkThatItsTrainerHasLost) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.report("t", at, 1, 1, 0.5);
  shell.now += 6s;

  for (int beat = 0; beat < 3; ++beat) {
    EXPECT_EQ(shell.trial(0).attempt.n, 1u);
    EXPECT_EQ(shell.trial(0).state, TrialState::running);
    shell.say("t", Beat{});
  }

  EXPECT_EQ(shell.trial(0).last_end, AttemptEnd::lost);
}

TEST(CoordinatorBeat, DropsWhatIsNotOurs) {
  Harness shell(small_study());
  shell.join("t");
  shell.sent.clear();

  shell.say("t", Beat{1, {Held{TrialId{99}, AttemptId{1}, 0, 0}}, {}});

  EXPECT_EQ(shell.only_sent<Beat>().drop.size(), 1u);
}

TEST(CoordinatorHello, IsRefusedWithAWrongTokenVersionOrName) {
  CoordinatorOptions options;
  options.token = "secret";
  Harness shell(small_study(), {}, options);
  const auto answer = [&](Hello hello) {
    shell.sent.clear();
    shell.say("t", std::move(hello));
    const Refusal refusal = shell.only_sent<Refusal>();
    EXPECT_TRUE(refusal.fatal);
    return refusal.code;
  };

  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "secreT", 1, "", {}}), "bad_token");
  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "", 1, "", {}}), "bad_token");
  EXPECT_EQ(answer(Hello{2, 3, "t", "s", "secret", 1, "", {}}), "bad_version");
  EXPECT_EQ(answer(Hello{1, 1, "t", "s", "secret", 0, "", {}}), "too_many_slots");
  for (const char* name : {"", "a\nb", "\x1b[2J", "a\x7f",
                           "\xc2\x9b"
                           "2J"}) {
    EXPECT_EQ(answer(Hello{1, 1, name, "s", "secret", 1, "", {}}), "malformed") << name;
  }
  EXPECT_TRUE(shell.coordinator().roster().all().empty());
  shell.say("t", Hello{1, 1, "t", "s", "secret", 1, "", {}});
  EXPECT_TRUE(shell.has_sent<Welcome>());
}

TEST(CoordinatorReport, IsRefusedIfItsCheckpointIsOutsideOfTheStudysFolder) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");

  for (const char* uri : {"/etc/passwd", "..", "../x", "a/../../x", "a/..", "", "a\x1b[2J"}) {
    shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{uri, 1, 0}});
    EXPECT_EQ(shell.only_sent<Refusal>().code, "malformed") << uri;
  }
  EXPECT_TRUE(shell.facts<Reported>().empty());
  shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{"a..b/c", 1, 0}});
  EXPECT_EQ(shell.facts<CheckpointSaved>().size(), 1u);
}

TEST(CoordinatorReport, IsRefusedIfAMetricHasNoName) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");

  for (const std::string& name :
       {std::string(), std::string(129, 'a'), std::string("\x1b]0;x\x07")}) {
    shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}, {name, 2}}, {}});
    EXPECT_EQ(shell.only_sent<Refusal>().code, "malformed") << name;
  }
  EXPECT_TRUE(shell.facts<Reported>().empty());
  shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}, {"größe/Ω", 2}}, {}});
  EXPECT_EQ(shell.facts<Reported>().size(), 1u);
}

TEST(CoordinatorDone, HasNoMessageThatATerminalWouldObey) {
  Harness shell(small_study());
  const Assign at = shell.begin("t");

  shell.say("t", Done{at.trial, at.attempt, 0, 0, AttemptEnd::failed, FailureClass::user,
                      "first\n\tsecond \x1b[2J\r\x7f \xc2\x9b"
                      "31m größe"});

  EXPECT_EQ(shell.facts<AttemptEnded>().back().message, "first\n\tsecond ?[2J?? ?31m größe");
}

TEST(CoordinatorReport, IsRefusedIfItsCheckpointsDigestIsNone) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  const std::string digest(64, 'a');

  for (const std::string& wrong :
       {std::string(), std::string("abc"), std::string(64, 'A'), digest + "0"}) {
    shell.say("t",
              Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{"c", 1, 0, wrong}});
    EXPECT_EQ(shell.only_sent<Refusal>().code, "malformed") << wrong;
  }
  shell.say("t", Report{at.trial, at.attempt, 1, 1, {{"loss", 1}}, ArtifactRef{"c", 1, 0, digest}});
  EXPECT_EQ(shell.facts<CheckpointSaved>().size(), 1u);
}

/// What becomes of a message about files: "" where it is admitted, else the code it is refused
/// with.
std::string refusal_of(Harness& shell, const std::string& from, const Message& message) {
  const Effects effects = shell.coordinator().step(Received{from, message}, shell.now);
  EXPECT_TRUE(effects.append.empty());
  if (effects.admits_file) return "";
  return effects.send.empty() ? "nothing" : std::get<Refusal>(effects.send.at(0).message).code;
}

PutFile put_into(const std::string& folder, const Assign& at) {
  return {at.trial, at.attempt, folder, "log", 1, "", 0, "x"};
}

GetFile get_from(const std::string& folder, const Assign& at) {
  return {at.trial, at.attempt, folder, "model", 0};
}

TEST(CoordinatorFiles, AreTakenFromWhoHasTheAttemptForItsOwnFolders) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign at = shell.begin("t");
  shell.join("other");

  EXPECT_EQ(refusal_of(shell, "t", put_into("trials/0/attempt-1", at)), "");
  EXPECT_EQ(refusal_of(shell, "t", put_into("checkpoints/trial-0/attempt-1-step-4", at)), "");
  EXPECT_EQ(refusal_of(shell, "t", put_into("checkpoints/trial-1/attempt-1-step-4", at)),
            "malformed");
  EXPECT_EQ(refusal_of(shell, "other", put_into("trials/0/attempt-1", at)), "stale_attempt");
  EXPECT_EQ(refusal_of(shell, "nobody", put_into("trials/0/attempt-1", at)), "not_welcome");
}

TEST(CoordinatorFiles, AreGivenOfTheCheckpointThatAnAttemptGoesOnFrom) {
  Harness shell(stepped_study(9, "fifo"));
  const Assign first = shell.begin("t");
  EXPECT_EQ(refusal_of(shell, "t", get_from("checkpoints/1", first)), "malformed")
      << "it goes on from none";
  shell.report_saved("t", first, 1, 1);
  shell.done("t", first, 1, AttemptEnd::paused);
  shell.sent.clear();
  shell.say("t", Ready{1});
  const auto second = shell.only_sent<Assign>();

  ASSERT_TRUE(second.resume_from);
  EXPECT_EQ(refusal_of(shell, "t", get_from("checkpoints/1", second)), "");
  EXPECT_EQ(refusal_of(shell, "t", get_from(".", second)), "malformed");
  EXPECT_EQ(refusal_of(shell, "t", get_from("checkpoints/1", first)), "stale_attempt");
}

}  // namespace
}  // namespace betatune
