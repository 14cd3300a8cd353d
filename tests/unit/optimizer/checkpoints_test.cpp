#include "optimizer/checkpoints.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <set>

#include "optimizer/simulate.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

class CheckpointsTest : public testing::Test {
 protected:
  static std::string uri(std::uint64_t trial, int attempt, Step step) {
    return "checkpoints/trial-" + std::to_string(trial) + "/attempt-" + std::to_string(attempt) +
           "-step-" + std::to_string(step);
  }
  void publish(std::uint64_t trial, int attempt, Step step) {
    const fs::path folder = study_ / uri(trial, attempt, step);
    fs::create_directories(folder);
    std::ofstream(folder / "state") << step;
  }
  bool kept(std::uint64_t trial, int attempt, Step step) const {
    return fs::exists(study_ / uri(trial, attempt, step) / "state");
  }
  /// A trial whose newest recorded checkpoint is of (attempt, step).
  Trial trial_at(std::uint64_t id, TrialState at, int attempt, Step step, double loss) {
    Trial trial;
    trial.id = TrialId{id};
    trial.state = at;
    trial.standing = Standing{step, loss};
    trial.checkpoint = ArtifactRef{uri(id, attempt, step), step, 1};
    return trial;
  }
  static CheckpointsSpec keeping(int keep, int best = 1, bool rungs = false) {
    CheckpointsSpec rules;
    rules.keep = keep;
    rules.best = best;
    rules.rungs = rungs;
    return rules;
  }
  static Event closed(std::uint64_t trial) {
    return {1, 0, TrialClosed{TrialId{trial}, Outcome::completed, 1.0}};
  }
  static Event saved(std::uint64_t trial) {
    return {1, 0, CheckpointSaved{TrialId{trial}, AttemptId{1}, {}}};
  }

  support::TemporaryDirectory folder_;
  fs::path study_ = folder_.path();
  StudyState state_;
};

TEST_F(CheckpointsTest, AnOpenTrialKeepsItsNewestRecordedOnesAndWhatIsNewer) {
  for (const Step step : {1, 2, 3, 4}) publish(0, 1, step);
  state_.trials.add(trial_at(0, TrialState::running, 1, 3, 0.5));

  const Event event = saved(0);
  CheckpointKeeper(study_, keeping(2)).on_events({&event, 1}, state_);

  EXPECT_FALSE(kept(0, 1, 1));
  EXPECT_TRUE(kept(0, 1, 2));
  EXPECT_TRUE(kept(0, 1, 3));
  EXPECT_TRUE(kept(0, 1, 4)) << "its report is on the way";
}

TEST_F(CheckpointsTest, ALaterAttemptIsNewerWhateverItsStep) {
  publish(0, 1, 9);
  publish(0, 2, 3);
  state_.trials.add(trial_at(0, TrialState::paused, 2, 3, 0.5));

  const Event event = saved(0);
  CheckpointKeeper(study_, keeping(1)).on_events({&event, 1}, state_);

  EXPECT_FALSE(kept(0, 1, 9));
  EXPECT_TRUE(kept(0, 2, 3));
}

TEST_F(CheckpointsTest, OnlyTheBestClosedTrialKeepsItsModel) {
  CheckpointKeeper keeper(study_, keeping(2));
  for (std::uint64_t id = 0; id < 3; ++id) {
    const double loss = id == 1 ? 0.1 : 0.5 + 0.1 * static_cast<double>(id);
    for (const Step step : {1, 2}) publish(id, 1, step);
    state_.trials.add(trial_at(id, TrialState::closed, 1, 2, loss));
    if (id != 2) state_.best = TrialId{id};
    const Event event = closed(id);
    keeper.on_events({&event, 1}, state_);
    EXPECT_EQ(kept(0, 1, 2), id == 0) << "best until trial 1 closed";
  }

  EXPECT_TRUE(kept(1, 1, 2));
  EXPECT_FALSE(kept(1, 1, 1));
  EXPECT_FALSE(fs::exists(study_ / "checkpoints/trial-0"));
  EXPECT_FALSE(fs::exists(study_ / "checkpoints/trial-2"));
}

TEST_F(CheckpointsTest, TheBestClosedModelStaysWhileAnOpenTrialLeads) {
  CheckpointKeeper keeper(study_, keeping(1));
  publish(0, 1, 2);
  publish(1, 1, 2);
  state_.trials.add(trial_at(0, TrialState::closed, 1, 2, 0.5));
  state_.trials.add(trial_at(1, TrialState::paused, 1, 2, 0.1));
  state_.best = TrialId{1};
  const std::vector<Event> events = {closed(0), saved(1)};

  keeper.on_events(events, state_);

  EXPECT_TRUE(kept(0, 1, 2)) << "trial 1 may still fail";
  EXPECT_TRUE(kept(1, 1, 2));
}

TEST_F(CheckpointsTest, ASweepRemovesWhatAKilledOptimizerLeft) {
  for (const Step step : {1, 2, 3}) publish(0, 1, step);
  publish(1, 1, 2);
  state_.trials.add(trial_at(0, TrialState::closed, 1, 3, 0.1));
  state_.trials.add(trial_at(1, TrialState::closed, 1, 2, 0.7));
  state_.best = TrialId{0};

  CheckpointKeeper(study_, keeping(2)).sweep(state_);

  EXPECT_TRUE(kept(0, 1, 3));
  EXPECT_FALSE(kept(0, 1, 2));
  EXPECT_FALSE(kept(1, 1, 2));
}

TEST_F(CheckpointsTest, FilesOfOthersAreLeftAlone) {
  fs::create_directories(study_ / "checkpoints/trial-0/notes");
  fs::create_directories(study_ / "checkpoints/trial-0/attempt-1-next.tmp");
  publish(0, 1, 1);
  publish(7, 1, 1);
  state_.trials.add(trial_at(0, TrialState::closed, 1, 1, 0.9));
  Trial thief = trial_at(1, TrialState::closed, 1, 1, 0.9);
  thief.checkpoint->uri = uri(7, 1, 1);
  state_.trials.add(thief);
  state_.trials.add(trial_at(2, TrialState::closed, 1, 1, 0.1));
  state_.best = TrialId{2};

  CheckpointKeeper(study_, keeping(1)).sweep(state_);

  EXPECT_TRUE(fs::exists(study_ / "checkpoints/trial-0/notes"));
  EXPECT_TRUE(fs::exists(study_ / "checkpoints/trial-0/attempt-1-next.tmp"));
  EXPECT_TRUE(kept(7, 1, 1)) << "another trial's";
}

TEST_F(CheckpointsTest, TheBestFewKeepTheirModels) {
  CheckpointKeeper keeper(study_, keeping(2, 2));
  const double losses[] = {0.5, 0.3, 0.9, 0.1};
  for (std::uint64_t id = 0; id < 4; ++id) {
    publish(id, 1, 2);
    state_.trials.add(trial_at(id, TrialState::closed, 1, 2, losses[id]));
    if (id != 2) state_.best = TrialId{id};
    const Event event = closed(id);
    keeper.on_events({&event, 1}, state_);
  }

  for (std::uint64_t id = 0; id < 4; ++id) {
    EXPECT_EQ(kept(id, 1, 2), id == 1 || id == 3) << "trial " << id;
  }
  CheckpointKeeper(study_, keeping(2, 2)).sweep(state_);
  EXPECT_TRUE(kept(1, 1, 2)) << "a restart agrees";
}

TEST_F(CheckpointsTest, RungsStayWhereTheStudyWantsThem) {
  for (const Step step : {1, 2, 3, 4, 9}) publish(0, 1, step);
  Trial trial = trial_at(0, TrialState::closed, 1, 9, 0.9);
  trial.at_rung = true;
  for (const Step step : {1, 2, 3, 4}) {
    trial.older_checkpoints.push_back({ArtifactRef{uri(0, 1, step), step, 1}, step == 3});
  }
  state_.trials.add(trial);
  state_.trials.add(trial_at(1, TrialState::closed, 1, 9, 0.1));
  state_.best = TrialId{1};

  CheckpointKeeper(study_, keeping(1, 1, true)).sweep(state_);
  for (const Step step : {1, 2, 4}) EXPECT_FALSE(kept(0, 1, step)) << step;
  EXPECT_TRUE(kept(0, 1, 3));
  EXPECT_TRUE(kept(0, 1, 9));

  CheckpointKeeper(study_, keeping(1)).sweep(state_);
  EXPECT_FALSE(fs::exists(study_ / "checkpoints/trial-0"));
}

TEST_F(CheckpointsTest, WhatARunningAttemptBeganFromIsInUse) {
  for (const Step step : {1, 2, 3}) publish(0, 1, step);
  Trial trial = trial_at(0, TrialState::running, 1, 3, 0.5);
  trial.resumed_from = ArtifactRef{uri(0, 1, 1), 1, 1};
  state_.trials.add(trial);

  const Event event = saved(0);
  CheckpointKeeper(study_, keeping(1)).on_events({&event, 1}, state_);

  EXPECT_TRUE(kept(0, 1, 1));
  EXPECT_FALSE(kept(0, 1, 2));
}

TEST_F(CheckpointsTest, ContentThatAnotherCheckpointHasStays) {
  const std::string weights(100'000, 'w');
  const ObjectStore objects(study_);
  for (const std::uint64_t id : {0u, 1u}) {
    publish(id, 1, 1);
    std::ofstream(study_ / uri(id, 1, 1) / "model") << weights;
    objects.share(study_ / uri(id, 1, 1), seal_folder(study_ / uri(id, 1, 1)).value());
    state_.trials.add(trial_at(id, TrialState::closed, 1, 1, id == 0 ? 0.9 : 0.1));
  }
  state_.best = TrialId{1};

  CheckpointKeeper(study_, keeping(1)).sweep(state_);

  EXPECT_FALSE(kept(0, 1, 1));
  EXPECT_TRUE(kept(1, 1, 1));
  EXPECT_EQ(fs::hard_link_count(study_ / uri(1, 1, 1) / "model"), 2u) << "and its object";
}

/// What trials go on from, or copies begin with, although it was removed.
std::set<std::string> removed_in(const StudyState& state, const fs::path& study) {
  std::set<std::string> removed;
  for (const Trial& each : state.trials) {
    if (each.state == TrialState::closed) continue;
    const ArtifactRef* newest = each.checkpoint ? &*each.checkpoint : nullptr;
    for (const ArtifactRef* known : {newest, each.rung_checkpoint()}) {
      if (known != nullptr && !fs::exists(study / known->uri)) removed.insert(known->uri);
    }
  }
  return removed;
}

/// Whatever fails in a study with copies: no attempt begins with a checkpoint that was removed,
/// unless the one after it was damaged: `keep: 1` leaves nothing to fall back to. The strictest
/// rules, and a look after every single event.
TEST(CheckpointsOfCopies, AreThereWhenAnAttemptBeginsWithThem) {
  std::size_t of_a_parent = 0;
  for (std::uint64_t seed = 100'000; seed < 100'040; ++seed) {
    const SimulationResult result = simulate({seed, Mutation::none, "pbt"});
    const support::TemporaryDirectory folder;
    CheckpointsSpec rules;
    rules.keep = 1;
    CheckpointKeeper keeper(folder.path(), rules);
    StudyState state;
    std::set<std::string> fallen_back_to;
    for (const Event& event : result.log) {
      ASSERT_TRUE(apply(state, event));
      if (const auto* saved = std::get_if<CheckpointSaved>(&event.fact)) {
        fs::create_directories(folder.path() / saved->artifact.uri);
      }
      keeper.on_events({&event, 1}, state);
      const auto* ended = std::get_if<AttemptEnded>(&event.fact);
      if (ended != nullptr && ended->failure == FailureClass::checkpoint) {
        fallen_back_to.merge(removed_in(state, folder.path()));
      }
      const auto* started = std::get_if<AttemptStarted>(&event.fact);
      if (started == nullptr || !started->checkpoint) continue;
      const fs::path uri = started->checkpoint->uri;
      const bool own = uri.parent_path().filename() == "trial-" + std::to_string(started->trial.n);
      of_a_parent += own ? 0 : 1;
      EXPECT_TRUE(fs::exists(folder.path() / uri) || fallen_back_to.contains(uri))
          << "seed " << seed << ": " << uri;
    }
  }
  EXPECT_GT(of_a_parent, 40u);
}

}  // namespace
}  // namespace betatune
