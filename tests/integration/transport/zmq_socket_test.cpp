#include "transport/zmq_socket.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <unistd.h>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

using Role = ZmqSocket::Role;

class ZmqSocketTest : public testing::Test {
 protected:
  ZmqSocketTest() {
    std::string name = (std::filesystem::temp_directory_path() / "betatune-zmq-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    router_ = open(Role::router);
    EXPECT_TRUE(router_->bind(endpoint()));
  }
  ~ZmqSocketTest() override { std::filesystem::remove_all(dir_); }

  std::string endpoint() const { return "ipc://" + (dir_ / "s").string(); }
  std::unique_ptr<ZmqSocket> open(Role role) {
    auto socket = ZmqSocket::open(context_, loop_, role);
    EXPECT_TRUE(socket);
    return std::move(socket).value();
  }
  std::unique_ptr<ZmqSocket> dealer() {
    auto socket = open(Role::dealer);
    EXPECT_TRUE(socket->connect(endpoint()));
    return socket;
  }
  /// Runs the loop until `done`; gives up after a time that only a stall can take.
  template <class Done>
  bool run_until(Done done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done() && std::chrono::steady_clock::now() < give_up) {
      loop_.run_one_for(std::chrono::milliseconds(100));
    }
    return done();
  }

  std::filesystem::path dir_;
  ZmqContext context_;
  asio::io_context loop_;
  std::unique_ptr<ZmqSocket> router_;
};

// One read per wake-up of the edge-triggered descriptor stalls within the first few messages.
TEST_F(ZmqSocketTest, DrainsTwentyThousandMessagesWithBoundedBatches) {
  constexpr int kMessages = 20'000;
  int received = 0, answers = 0, largest_batch = 0;
  router_->start([&] {
    Delivery delivery;
    int batch = 0;
    while (batch < limits::kMessagesPerTurn && router_->receive(delivery)) {
      ++batch;
      ++received;
      EXPECT_EQ(router_->send(delivery.from, delivery.frames), SendResult::sent);
    }
    largest_batch = std::max(largest_batch, batch);
  });
  auto trainer = dealer();
  int sent = 0;
  const auto fill = [&] {
    while (sent < kMessages && sent - answers < 1'000) {
      ASSERT_EQ(trainer->send("", {"BTP1", std::to_string(sent++)}), SendResult::sent);
    }
  };
  trainer->start([&] {
    Delivery delivery;
    while (trainer->receive(delivery)) {
      EXPECT_EQ(delivery.frames[1], std::to_string(answers));
      ++answers;
    }
    fill();
  });
  fill();

  EXPECT_TRUE(run_until([&] { return answers == kMessages; })) << received << " " << answers;
  EXPECT_LE(largest_batch, limits::kMessagesPerTurn);
}

TEST_F(ZmqSocketTest, APeerThatIsGoneIsUnreachable) {
  PeerId peer;
  router_->start([&] {
    Delivery delivery;
    while (router_->receive(delivery)) peer = delivery.from;
  });
  auto trainer = dealer();
  trainer->send("", {"hello"});
  ASSERT_TRUE(run_until([&] { return !peer.empty(); }));
  trainer.reset();

  EXPECT_TRUE(run_until([&] { return router_->send(peer, {"x"}) == SendResult::unreachable; }));
  EXPECT_EQ(router_->send("never seen", {"x"}), SendResult::unreachable);
}

TEST_F(ZmqSocketTest, ALongMessageIsCutSoThatDecodingRefusesIt) {
  std::size_t frames = 0;
  router_->start([&] {
    Delivery delivery;
    while (router_->receive(delivery)) frames = delivery.frames.size();
  });
  auto trainer = dealer();

  trainer->send("", Frames(8'000, "x"));

  EXPECT_TRUE(run_until([&] { return frames > 0; }));
  EXPECT_EQ(frames, limits::kFrames + 1);
}

TEST_F(ZmqSocketTest, AMessageOverTheLimitEndsItsConnectionOnly) {
  std::set<std::string> heard;
  router_->start([&] {
    Delivery delivery;
    while (router_->receive(delivery)) heard.insert(delivery.frames.at(0));
  });
  auto bad = dealer();
  auto good = dealer();

  bad->send("", {std::string(static_cast<std::size_t>(limits::kMessageBytes) + 1, 'x')});
  good->send("", {"fine"});

  EXPECT_TRUE(run_until([&] { return heard.count("fine") != 0; }));
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(ZmqSocketTest, TellsWhenTheOtherSideWentAwayAndConnectsAgain) {
  int lost = 0;
  std::set<std::string> heard;
  const auto listen = [&] {
    router_->start([&] {
      Delivery delivery;
      while (router_->receive(delivery)) heard.insert(delivery.frames.at(0));
    });
  };
  listen();
  auto trainer = open(Role::dealer);
  ASSERT_TRUE(trainer->watch_connection({[&] { ++lost; }, [] {}}));
  ASSERT_TRUE(trainer->connect(endpoint()));
  trainer->send("", {"first"});
  ASSERT_TRUE(run_until([&] { return heard.count("first") != 0; }));

  router_.reset();
  ASSERT_TRUE(run_until([&] { return lost > 0; }));
  router_ = open(Role::router);
  // The old socket's path is freed in the background.
  ASSERT_TRUE(run_until([&] { return bool(router_->bind(endpoint())); }));
  listen();
  trainer->send("", {"second"});

  EXPECT_TRUE(run_until([&] { return heard.count("second") != 0; }));
}

TEST_F(ZmqSocketTest, EndsOnePeersConnectionWhichMayComeAgain) {
  std::map<std::string, PeerId> heard;
  int lost = 0, others_lost = 0;
  router_->start([&] {
    Delivery delivery;
    while (router_->receive(delivery)) {
      heard[delivery.frames.at(0)] = delivery.from;
      if (delivery.frames.at(0) == "nonsense") ZmqSocket::end_connection(delivery);
    }
  });
  auto bad = open(Role::dealer), good = open(Role::dealer);
  ASSERT_TRUE(bad->watch_connection({[&] { ++lost; }, [] {}}));
  ASSERT_TRUE(good->watch_connection({[&] { ++others_lost; }, [] {}}));
  ASSERT_TRUE(bad->connect(endpoint()));
  ASSERT_TRUE(good->connect(endpoint()));
  good->send("", {"fine"});
  ASSERT_TRUE(run_until([&] { return heard.count("fine") != 0; }));

  bad->send("", {"nonsense", "of two frames"});
  ASSERT_TRUE(run_until([&] { return lost > 0; }));
  bad->send("", {"sorry"});
  good->send("", {"still fine"});

  EXPECT_TRUE(
      run_until([&] { return heard.count("sorry") != 0 && heard.count("still fine") != 0; }));
  EXPECT_EQ(others_lost, 0);
  EXPECT_EQ(heard["fine"], heard["still fine"]);
  EXPECT_NE(heard["nonsense"], heard["sorry"]) << "another connection is another peer";
}

TEST_F(ZmqSocketTest, BindingTwiceSaysWhatToDo) {
  auto other = open(Role::router);
  ASSERT_TRUE(other->bind("tcp://127.0.0.1:*"));
  auto second = open(Role::router);

  const Status bound = second->bind(other->endpoint());

  ASSERT_FALSE(bound);
  EXPECT_NE(bound.error().message.find("server.bind"), std::string::npos) << bound.error().message;
}

}  // namespace
}  // namespace betatune
