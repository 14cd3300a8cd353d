#include "optimizer/refusal_limit.hpp"

#include <gtest/gtest.h>
#include <string>
#include <vector>

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

TEST_F(RefusalLimitTest, MutesAtOnceWhoComesAgainUnderManyNames) {
  std::vector<int> borne;
  for (int name = 0; name < 20; ++name) {
    const std::string peer = "loud" + std::to_string(name);
    int refusals = 1;
    while (!limit_.refused(peer, now_)) ++refusals;
    borne.push_back(refusals);
  }

  const int full = RefusalLimit::kOfAllPerSecond / RefusalLimit::kPerSecond;
  for (int name = 0; name < 20; ++name) {
    EXPECT_EQ(borne[static_cast<std::size_t>(name)], name < full ? RefusalLimit::kPerSecond : 1);
  }
  EXPECT_FALSE(limit_.is_muted("quiet", now_));
  EXPECT_FALSE(limit_.refused("quiet", now_ + 1s)) << "the next second is another";
}

TEST_F(RefusalLimitTest, EndsTheConnectionOfWhoIsMutedOnce) {
  refuse(RefusalLimit::kPerSecond - 1);
  EXPECT_FALSE(limit_.ends("loud"));

  refuse(1);
  EXPECT_TRUE(limit_.ends("loud"));
  EXPECT_FALSE(limit_.ends("loud"));
  EXPECT_FALSE(limit_.ends("quiet"));

  now_ += 1s;
  refuse(RefusalLimit::kPerSecond);
  EXPECT_TRUE(limit_.ends("loud")) << "if it is muted again";
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
