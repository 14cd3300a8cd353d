#include "optimizer/pace.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

Pace::Clock::time_point at(int seconds) {
  return Pace::Clock::time_point(std::chrono::seconds(seconds));
}

TEST(Pace, SaysNothingBeforeATrialHasSettled) {
  Pace pace;
  EXPECT_FALSE(pace.trials_per_second(at(5)));
  pace.note(at(0), 40);  // what an earlier run has left says nothing of this one's speed

  EXPECT_FALSE(pace.trials_per_second(at(5)));
  EXPECT_FALSE(pace.seconds_left(at(5), 60));
}

TEST(Pace, ExpectsTheRestAtTheRateSeen) {
  Pace pace;
  pace.note(at(0), 0);
  pace.note(at(10), 10);

  EXPECT_DOUBLE_EQ(*pace.trials_per_second(at(20)), 0.5);
  EXPECT_DOUBLE_EQ(*pace.seconds_left(at(20), 40), 60);
}

TEST(Pace, CountsATrialOnceThatPausedAndWasPromoted) {
  Pace pace;
  pace.note(at(0), 0);
  pace.note(at(1), 1);
  pace.note(at(2), 0);  // promoted: it runs again
  pace.note(at(4), 1);

  EXPECT_DOUBLE_EQ(*pace.trials_per_second(at(4)), 0.25);
}

TEST(Pace, SaysNothingOfTheTimeLeftWhereAllTrialsHaveSettledOnce) {
  Pace pace;
  pace.note(at(0), 0);
  pace.note(at(10), 9);

  EXPECT_FALSE(pace.seconds_left(at(10), 9));
}

TEST(Pace, FollowsAStudyThatHasBecomeSlower) {
  Pace pace;
  for (int i = 0; i < 100; ++i) pace.note(at(i), i);
  for (int i = 0; i < 100; ++i) pace.note(at(100 + 10 * i), 100 + i);

  EXPECT_NEAR(*pace.trials_per_second(at(1090)), 0.1, 0.001);
}

TEST(Pace, TakesPausedTrialsForSettled) {
  StudyState state;
  state.closed[Outcome::completed] = 2;
  state.paused = {TrialId{3}, TrialId{4}, TrialId{5}};
  state.running = {TrialId{6}};

  EXPECT_EQ(settled_count(state), 5);
}

}  // namespace
}  // namespace betatune
