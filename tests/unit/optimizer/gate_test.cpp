// For whom a key may speak. What is said over real connections is in
// integration/optimizer/keys_test.cpp.

#include "optimizer/gate.hpp"

#include <gmock/gmock.h>

#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using ::testing::HasSubstr;

class GateTest : public ::testing::Test {
 protected:
  GateTest() : ring_(KeyRing::open(dir_ / "keys").value()) {}

  TrainerKey issue(const std::string& name, std::optional<int> slots = {}) {
    return ring_.issue({name, "", "", slots, 0}).value();
  }
  Gate& gate() {
    if (!gate_) {
      gate_ = std::make_unique<Gate>(context_, loop_, ring_, "");
      const Status opened = gate_->open();
      EXPECT_TRUE(opened) << opened.error().message;
    }
    return *gate_;
  }
  std::optional<Refusal> say(const std::string& key, const PeerId& from, const Message& message) {
    return gate().objection(Delivery{from, {}, key}, message, roster_);
  }
  static Hello hello(const TrainerId& trainer, int slots = 1) {
    Hello out;
    out.trainer = trainer;
    out.session = "1";
    out.slots = slots;
    return out;
  }
  void join(const TrainerId& trainer, const PeerId& peer, int slots) {
    roster_.join(TrainerEntry{trainer, peer, "1", slots, 0, false, {}});
  }

  support::TemporaryDirectory dir_;
  ZmqContext context_;
  asio::io_context loop_;
  KeyRing ring_;
  Roster roster_;
  std::unique_ptr<Gate> gate_;
};

TEST_F(GateTest, AKeySpeaksForTrainersOfItsNameAlone) {
  const std::string key = issue("site").own.public_key;

  EXPECT_FALSE(say(key, "p1", hello("site")));
  EXPECT_FALSE(say(key, "p1", hello("site/node-7")));
  for (const char* other : {"sit", "site-b/x", "sites", "other/site", "local-0", ""}) {
    const auto refusal = say(key, "p2", hello(other));
    ASSERT_TRUE(refusal) << other;
    EXPECT_EQ(refusal->code, "bad_key") << other;
    EXPECT_TRUE(refusal->fatal);
  }
}

TEST_F(GateTest, ASessionIsItsKeysAlone) {
  const std::string mine = issue("a").own.public_key, other = issue("b").own.public_key;
  ASSERT_FALSE(say(mine, "peer", hello("a/1")));

  EXPECT_FALSE(say(mine, "peer", Ready{1}));
  // The first connection has ended, and another key took its routing id.
  const auto refusal = say(other, "peer", Ready{1});
  ASSERT_TRUE(refusal);
  EXPECT_THAT(refusal->message, HasSubstr("began with another key"));
  EXPECT_TRUE(say(other, "peer", hello("b/1")));
}

TEST_F(GateTest, ARevokedKeySaysNothingMore) {
  const std::string key = issue("a").own.public_key;
  ASSERT_FALSE(say(key, "peer", hello("a/1")));
  join("a/1", "peer", 1);

  ASSERT_TRUE(ring_.revoke("a"));
  gate().refresh(roster_);

  const auto refusal = say(key, "peer", Ready{1});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "bad_key");
}

TEST_F(GateTest, AKeysTrainersShareItsSlots) {
  const std::string key = issue("a", 4).own.public_key;
  join("a/1", "p1", 3);
  join("b/1", "p2", 100);

  EXPECT_FALSE(say(key, "p3", hello("a/2", 1)));
  EXPECT_FALSE(say(key, "p3", hello("a/1", 4))) << "in the place of its own session before";
  const auto refusal = say(key, "p3", hello("a/2", 2));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "too_many_slots");
}

TEST_F(GateTest, AKeyThatNobodyIssuedIsRefused) {
  issue("a");
  EXPECT_TRUE(say(make_key_pair().value().public_key, "peer", hello("a/1")));
  EXPECT_TRUE(say("", "peer", hello("a/1")));
}

}  // namespace
}  // namespace betatune
