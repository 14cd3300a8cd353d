#include "optimizer/launchers/restart_delay.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

using namespace std::chrono_literals;

TEST(RestartDelay, GrowsToItsBoundWhileATrainerDiesAtOnce) {
  RestartDelay delay;
  std::vector<RestartDelay::Time> waits;
  for (int i = 0; i < 7; ++i) waits.push_back(delay.after(100ms));

  EXPECT_EQ(waits, (std::vector<RestartDelay::Time>{500ms, 1s, 2s, 4s, 8s, 10s, 10s}));
}

TEST(RestartDelay, StaysShortForATrainerThatIsKilledEveryFewSeconds) {
  RestartDelay delay;

  for (int i = 0; i < 50; ++i) EXPECT_EQ(delay.after(3s), 500ms);
}

TEST(RestartDelay, IsForgottenAfterALifeLongerThanTheWait) {
  RestartDelay delay;
  for (int i = 0; i < 4; ++i) delay.after(100ms);  // the last wait was 4 s, the next one is 8 s

  EXPECT_EQ(delay.after(7s), 8s) << "not yet";
  EXPECT_EQ(delay.after(11s), 500ms);
}

}  // namespace
}  // namespace betatune
