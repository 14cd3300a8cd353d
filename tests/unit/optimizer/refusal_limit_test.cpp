#include "optimizer/refusal_limit.hpp"

#include <gtest/gtest.h>

namespace betatune {
namespace {

using namespace std::chrono_literals;

class RefusalLimitTest : public testing::Test {
 protected:
  void refuse(int times, std::chrono::milliseconds every = 0ms) {
    for (int i = 0; i < times; ++i, now_ += every) limit_.refused("loud", now_);
  }
  RefusalLimit limit_;
  RefusalLimit::Clock::time_point now_{};
};

TEST_F(RefusalLimitTest, MutesWhoIsRefusedTooOftenForTheRestOfTheSecond) {
  refuse(RefusalLimit::kPerSecond - 1);
  EXPECT_FALSE(limit_.is_muted("loud", now_));

  EXPECT_TRUE(limit_.refused("loud", now_ + 300ms)) << "told once";
  EXPECT_TRUE(limit_.is_muted("loud", now_ + 300ms));
  EXPECT_TRUE(limit_.is_muted("loud", now_ + 999ms));
  EXPECT_FALSE(limit_.is_muted("loud", now_ + 1s));
}

TEST_F(RefusalLimitTest, LeavesOthersAlone) {
  refuse(5 * RefusalLimit::kPerSecond);

  EXPECT_FALSE(limit_.is_muted("quiet", now_));
}

TEST_F(RefusalLimitTest, LetsSomeRefusalsPass) {
  refuse(5'000, 2ms);

  EXPECT_FALSE(limit_.is_muted("loud", now_));
}

TEST_F(RefusalLimitTest, ForgetsWhoIsQuiet) {
  refuse(3);
  limit_.forget(now_ + 500ms);
  EXPECT_EQ(limit_.peers(), 1u);

  limit_.forget(now_ + 1s);
  EXPECT_EQ(limit_.peers(), 0u);
}

}  // namespace
}  // namespace betatune
