/// A checkpoint that an attempt finds missing or damaged: the trial falls back to the one before.

#include <gtest/gtest.h>

#include "optimizer/store.hpp"
#include "optimizer/stores/study_reader.hpp"
#include "tests/support/coordinator_harness.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using test::Harness;
using test::stepped_study;
using namespace std::chrono_literals;

class DamagedCheckpointTest : public testing::Test {
 protected:
  /// Steps 2 and 4 saved, then lost with its trainer.
  void lose_after_two() {
    const Assign first = shell_.begin("a");
    shell_.report_saved("a", first, 1, 2);
    shell_.report_saved("a", first, 2, 4);
    shell_.tick(31s);
    shell_.sent.clear();
  }
  void find_damage(const Assign& at) {
    shell_.done(at_, at, 0, AttemptEnd::failed, FailureClass::checkpoint);
    shell_.sent.clear();
    shell_.say(at_, Ready{1});
  }

  Harness shell_{stepped_study(9, "fifo")};
  const std::string at_ = "b";
};

TEST_F(DamagedCheckpointTest, FallsBackOneByOneAndThenToTheBeginning) {
  lose_after_two();
  const Assign second = shell_.begin(at_);
  ASSERT_EQ(second.from, 4);

  find_damage(second);
  const Assign third = shell_.only_sent<Assign>();
  EXPECT_EQ(third.trial, second.trial);
  EXPECT_EQ(third.from, 2);
  EXPECT_EQ(third.resume_from->uri, "checkpoints/2");

  find_damage(third);
  const Assign fourth = shell_.only_sent<Assign>();
  EXPECT_EQ(fourth.trial, second.trial);
  EXPECT_EQ(fourth.from, 0);
  EXPECT_FALSE(fourth.resume_from);

  shell_.report(at_, fourth, 1, 9, 0.25);
  shell_.done(at_, fourth, 1);
  EXPECT_EQ(shell_.trial(0).outcome, Outcome::completed);
  EXPECT_EQ(state_hash(shell_.state()), state_hash(shell_.folded()));
}

TEST_F(DamagedCheckpointTest, IsNotChargedToTheRetries) {
  lose_after_two();
  find_damage(shell_.begin(at_));

  EXPECT_EQ(shell_.trial(0).failures, (std::map<FailureClass, int>{{FailureClass::infra, 1}}));
  EXPECT_FALSE(shell_.facts<AttemptEnded>().back().charged);
}

TEST_F(DamagedCheckpointTest, IsRememberedByTheLog) {
  lose_after_two();
  const Assign second = shell_.begin(at_);
  shell_.done(at_, second, 0, AttemptEnd::failed, FailureClass::checkpoint);
  shell_.restart();

  const Assign third = shell_.begin("c");
  EXPECT_EQ(third.trial, second.trial);
  EXPECT_EQ(third.resume_from->uri, "checkpoints/2");
}

TEST_F(DamagedCheckpointTest, CanOnlyBeFoundByAnAttemptThatResumesAndHasNotBegun) {
  const Assign first = shell_.begin("a");
  shell_.done("a", first, 0, AttemptEnd::failed, FailureClass::checkpoint);
  EXPECT_EQ(shell_.trial(0).last_failure, FailureClass::infra) << "there was none";
  EXPECT_EQ(shell_.trial(0).failures.at(FailureClass::infra), 1);
  shell_.sent.clear();

  shell_.say("a", Ready{1});
  const Assign second = shell_.only_sent<Assign>();
  shell_.report_saved("a", second, 1, 3);
  shell_.tick(31s);
  shell_.sent.clear();
  const Assign third = shell_.begin(at_);
  ASSERT_EQ(third.from, 3);
  shell_.report(at_, third, 1, 4, 0.5);
  shell_.done(at_, third, 1, AttemptEnd::failed, FailureClass::checkpoint);

  EXPECT_EQ(shell_.trial(0).last_failure, FailureClass::infra) << "it had trained already";
  EXPECT_EQ(shell_.trial(0).checkpoint->step, 3);
}

TEST_F(DamagedCheckpointTest, EndsAsDecidedIfItWasToEnd) {
  lose_after_two();
  const Assign second = shell_.begin(at_);
  shell_.give(StopTrialRequest{second.trial});
  ASSERT_EQ(shell_.trial(0).decided, Action::stop);

  shell_.done(at_, second, 0, AttemptEnd::failed, FailureClass::checkpoint);

  EXPECT_EQ(shell_.trial(0).outcome, Outcome::stopped);
}

TEST_F(DamagedCheckpointTest, KeepsThoseOfRungsWhenOthersAreForgotten) {
  Harness shell(stepped_study(81, "successive-halving"));
  const Assign first = shell.begin("a");
  ASSERT_EQ(first.until, 1);
  shell.report_saved("a", first, 1, 1);
  shell.done("a", first, 1);
  EXPECT_TRUE(shell.trial(0).at_rung);
  StudyState state = shell.state();
  Sequence seq = state.seq;
  const auto give = [&](Fact fact) {
    const Status applied = apply(state, Event{++seq, 0, std::move(fact)});
    ASSERT_TRUE(applied) << applied.error().message;
  };
  const ArtifactRef at_rung = *state.trials[first.trial].checkpoint;
  give(AttemptStarted{first.trial, AttemptId{2}, "a", 1, 81, at_rung});
  for (Step step = 2; step < 40; ++step) {
    give(CheckpointSaved{first.trial, AttemptId{2}, {"c/" + std::to_string(step), step, 1}});
  }

  const auto& older = state.trials[first.trial].older_checkpoints;
  ASSERT_EQ(older.size(), kOlderCheckpoints + 1);
  EXPECT_EQ(older.front().artifact, at_rung);
  EXPECT_TRUE(older.front().of_rung);
  EXPECT_EQ(older.back().artifact.step, 38);
}

TEST_F(DamagedCheckpointTest, ShowsInTheDatabase) {
  lose_after_two();
  find_damage(shell_.begin(at_));
  const support::TemporaryDirectory directory;
  {
    auto store = open_sqlite_store(directory.path(), OpenMode::optimizer);
    ASSERT_TRUE(store);
    ASSERT_TRUE(store.value()->begin_epoch());
    ASSERT_TRUE(store.value()->append(0, shell_.log()));
  }

  const auto reader = StudyReader::open(directory.path());
  ASSERT_TRUE(reader);
  const auto trial = reader.value()->trial(TrialId{0});
  ASSERT_TRUE(trial);
  ASSERT_TRUE(trial.value());
  EXPECT_EQ(trial.value()->checkpoint, "checkpoints/2");
}

}  // namespace
}  // namespace betatune
