#include "trainers/torch/engine/schedule.hpp"

#include <gtest/gtest.h>

namespace betatune::engine {
namespace {

double rate(ScheduleKind kind, double progress, double warmup = 0) {
  return learning_rate({kind, warmup, 0.1}, 2.0, progress);
}

TEST(Schedule, ConstantStaysAndOthersDecay) {
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::constant, 0.99), 2.0);

  EXPECT_DOUBLE_EQ(rate(ScheduleKind::cosine, 0), 2.0);
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::cosine, 0.5), 1.0);
  EXPECT_NEAR(rate(ScheduleKind::cosine, 0.25), 1.7071067811865475, 1e-15);
  EXPECT_NEAR(rate(ScheduleKind::cosine, 1), 0, 1e-15);

  EXPECT_DOUBLE_EQ(rate(ScheduleKind::linear, 0.25), 1.5);
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::linear, 1), 0);
}

TEST(Schedule, StepDropsAtHalfAndThreeQuarters) {
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::step, 0.49), 2.0);
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::step, 0.5), 0.2);
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::step, 0.74), 0.2);
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::step, 0.75), 0.02);
}

TEST(Schedule, WarmUpGrowsAndTheScheduleCoversTheRest) {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::cosine, ScheduleKind::linear}) {
    EXPECT_DOUBLE_EQ(rate(kind, 0, 0.2), 0);
    EXPECT_DOUBLE_EQ(rate(kind, 0.1, 0.2), 1.0);
    EXPECT_DOUBLE_EQ(rate(kind, 0.2, 0.2), 2.0);
  }
  EXPECT_DOUBLE_EQ(rate(ScheduleKind::linear, 0.6, 0.2), 1.0);
}

}  // namespace
}  // namespace betatune::engine
