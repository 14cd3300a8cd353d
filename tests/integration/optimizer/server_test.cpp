/// The server with real sockets, threads and a real database, and trainers that misbehave as a
/// network makes them.

#include <atomic>
#include <gmock/gmock.h>
#include <thread>

#include "tests/support/eventually.hpp"
#include "tests/support/server_fixture.hpp"

namespace betatune {
namespace {

using support::count_closed;
using support::expect_each_report_once;
using support::ServedStudy;
using support::ServerTest;
using support::simple_study;
using support::TrainerThread;
using support::WireTrainer;

/// A loopback endpoint that was free a moment ago.
std::string free_port() {
  ZmqContext context;
  asio::io_context loop;
  auto socket = ZmqSocket::open(context, loop, ZmqSocket::Role::router);
  EXPECT_TRUE(socket);
  EXPECT_TRUE(socket.value()->bind("tcp://127.0.0.1:*"));
  return socket.value()->endpoint();
}

TEST_F(ServerTest, RunsExactlyTheTrialsAskedForAndTheStoreHasWhatTheObserverSaw) {
  ServedStudy study(simple_study(directory_.path(), 200));
  study.start();
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(end.value(), "trials");
  const auto events = stored_events(study);
  EXPECT_EQ(count_closed(events), 200u);
  EXPECT_EQ(events.size(), study.observer().events().size());
  EXPECT_LT(study.observer().batches(), events.size());
  EXPECT_EQ(trainer.wait().assigned, 200);
}

TEST_F(ServerTest, MessagesThatArriveTwiceCountOnce) {
  ServedStudy study(simple_study(directory_.path(), 100,
                                 "fidelity: {max: 5}\n"
                                 "algorithm: {name: random, scheduler: asha}\n"));
  study.start();
  auto options = trainer_of(study);
  options.send_twice = true;
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  const auto events = stored_events(study);
  EXPECT_EQ(count_closed(events), 100u);
  expect_each_report_once(events);
}

TEST_F(ServerTest, TrainersThatReconnectAllTheTimeLoseNothing) {
  ServedStudy study(simple_study(directory_.path(), 150, "trials: {retry: {infra: 100}}\n"));
  study.start();
  auto options = trainer_of(study);
  options.reconnect_every = 3;
  options.repeat_after = std::chrono::milliseconds(50);
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  const auto events = stored_events(study);
  EXPECT_EQ(count_closed(events), 150u);
  expect_each_report_once(events);
}

TEST_F(ServerTest, NonsenseFromATrainerIsRefusedAndChangesNothing) {
  ServedStudy study(simple_study(directory_.path(), 60));
  study.start();
  auto options = trainer_of(study);
  options.garbage_every = 2;
  TrainerThread trainer(std::move(options));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(count_closed(stored_events(study)), 60u);
  const WireTrainer& joined = trainer.wait();
  EXPECT_GE(joined.refused, 60);
  EXPECT_EQ(joined.last_refusal, "malformed");
  EXPECT_GE(study.observer().refused().by_code.at("malformed"), 60u);
  EXPECT_EQ(study.observer().refused().unread, 0u);
}

/// Is answered more often than the queues of both sides and the socket between them hold, and reads
/// nothing.
void ask_and_never_read(const std::string& endpoint) {
  ZmqContext context;
  asio::io_context loop;
  const auto socket = ZmqSocket::open(context, loop, ZmqSocket::Role::dealer).value();
  ASSERT_TRUE(socket->connect(endpoint));
  const auto say = [&](const Message& message) {
    const Frames frames = encode_message(message);
    while (socket->send({}, frames) != SendResult::sent) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  say(Hello{1, 1, "deaf", "session", "", 1, "", {}});
  for (int i = 0; i < 5 * ZmqSocket::kHighWaterMessages; ++i) say(Beat{});
}

TEST_F(ServerTest, WhoDoesNotReadIsNotWaitedForAndCounted) {
  ServedStudy study(simple_study(directory_.path(), 20));
  study.start();
  std::thread deaf([&] { ask_and_never_read(study.endpoint()); });
  deaf.join();
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(trainer.wait().assigned, 20);
  EXPECT_GT(study.observer().refused().unsent, 0u);
}

/// Sends nonsense as fast as it can, and connects again whenever it is thrown out.
class Flood {
 public:
  explicit Flood(const std::string& endpoint) : thread_([this, endpoint] { send_to(endpoint); }) {}
  ~Flood() {
    stop_ = true;
    thread_.join();
  }
  int thrown_out() const { return thrown_out_; }

 private:
  void send_to(const std::string& endpoint) {
    asio::io_context loop;
    ZmqContext context;
    auto socket = ZmqSocket::open(context, loop, ZmqSocket::Role::dealer);
    ASSERT_TRUE(socket);
    ASSERT_TRUE(socket.value()->watch_connection({[&] { ++thrown_out_; }, [] {}}));
    ASSERT_TRUE(socket.value()->connect(endpoint));
    while (!stop_) {
      for (int i = 0; i < 100; ++i) {
        socket.value()->send("", {"BTP1", "REPORT", "{\"trial\": [[[["});
      }
      loop.poll();
    }
  }
  std::atomic<bool> stop_{false};
  std::atomic<int> thrown_out_{0};
  std::thread thread_;
};

TEST_F(ServerTest, WhoSendsNothingButNonsenseIsThrownOutAndTheOthersGoOn) {
  ServedStudy study(simple_study(directory_.path(), 500));
  study.start();
  const Flood flood(study.bind().endpoint);
  ASSERT_TRUE(support::eventually([&] { return flood.thrown_out() > 0; }));
  TrainerThread trainer(trainer_of(study));

  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(count_closed(stored_events(study)), 500u);
  EXPECT_EQ(trainer.wait().assigned, 500);
  EXPECT_EQ(trainer.wait().last_refusal, "");
  EXPECT_GE(study.observer().refused().by_code.at("malformed"), 1'000u);
}

TEST_F(ServerTest, AWrongTokenIsRefusedAndTheRightOneWorks) {
  const std::string server = "server: {bind: \"" + free_port() + "\"}\n";
  ServedStudy study(simple_study(directory_.path(), 10, server));
  ASSERT_EQ(study.bind().token.size(), 32u);
  study.start();

  auto wrong = trainer_of(study, "wrong");
  wrong.token = std::string(32, '0');
  TrainerThread stranger(std::move(wrong));
  const WireTrainer& refused = stranger.wait();
  TrainerThread trainer(trainer_of(study, "right"));
  const auto& end = study.wait();

  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(refused.last_refusal, "bad_token");
  EXPECT_EQ(refused.assigned, 0);
  EXPECT_EQ(trainer.wait().assigned, 10);
}

}  // namespace
}  // namespace betatune
