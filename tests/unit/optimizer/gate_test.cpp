// For whom a key may speak. What is said over real connections is in
// integration/optimizer/keys_test.cpp.

#include "optimizer/gate.hpp"

#include <algorithm>
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <sstream>

#include "searchspaces/log.hpp"
#include "tests/support/temporary_directory.hpp"

namespace betatune {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  /// So many connections with foreign keys, as ZeroMQ asks for each (RFC 27).
  void knock(std::uint64_t times) {
    const auto socket = ZmqSocket::open(context_, loop_, ZmqSocket::Role::dealer).value();
    ASSERT_TRUE(socket->connect("inproc://zeromq.zap.01"));
    for (std::uint64_t i = 0; i < times; ++i) {
      const std::string key(32, static_cast<char>(i));
      socket->send({}, {"", "1.0", "1", "betatune", "192.0.2.1", "", "CURVE", key});
    }
    for (int i = 0; i < 1'000 && gate().turned_away() < times; ++i) {
      loop_.run_for(std::chrono::milliseconds(10));
      loop_.restart();
    }
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

  EXPECT_THAT(gate().refresh(roster_), ElementsAre("peer"));
  const auto refusal = say(key, "peer", Ready{1});
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, "bad_key");
  roster_.leave("a/1");
  EXPECT_THAT(gate().refresh(roster_), IsEmpty()) << "it is told once";
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

TEST_F(GateTest, ForeignKeysAreCountedAndFillNoLog) {
  issue("a");
  gate();
  std::ostringstream logged;
  log().sinks().push_back(std::make_shared<spdlog::sinks::ostream_sink_mt>(logged));
  knock(100);
  log().sinks().pop_back();

  EXPECT_EQ(gate().turned_away(), 100u);
  const std::string text = logged.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10) << text;
}

TEST_F(GateTest, AKeyThatNobodyIssuedIsRefused) {
  issue("a");
  EXPECT_TRUE(say(make_key_pair().value().public_key, "peer", hello("a/1")));
  EXPECT_TRUE(say("", "peer", hello("a/1")));
}

}  // namespace
}  // namespace betatune
