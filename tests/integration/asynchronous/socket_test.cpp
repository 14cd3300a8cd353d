// Servers and workers over real sockets, in threads of this process.

#include <future>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/support/failure_text.hpp"
#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/asynchronous/socket_link.hpp"
#include "trainers/torch/distributed/asynchronous/socket_server.hpp"
#include "trainers/torch/distributed/asynchronous/sub_master.hpp"
#include "trainers/torch/distributed/asynchronous/worker.hpp"

namespace betatune::distributed::asynchronous {
namespace {

using std::chrono::milliseconds;
using support::failure_text;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Layers kInitial{{0, 0, 0}, {0, 0}, {0}};

class SocketTest : public ::testing::Test {
 protected:
  /// Servers of `json`, which share the layers among them.
  void start(const std::string& json, int workers, std::size_t servers = 1,
             milliseconds gone_after = milliseconds(30'000)) {
    configured_ = read_strategy(json, workers);
    owner_ = shard_layers(sizes_of(kInitial), servers);
    for (std::size_t s = 0; s < servers; ++s) {
      SocketServerSettings settings;
      settings.strategy = json;
      settings.workers = workers;
      settings.gone_after = gone_after;
      if (s == 0) settings.address = "unix://" + (folder_ / "server").string();
      servers_.push_back(std::make_unique<ServerThread>(settings, layers_of(kInitial, owner_, s)));
    }
  }
  SocketLinkSettings link_settings(int rank, std::size_t server = 0) {
    SocketLinkSettings settings;
    settings.address = servers_[server]->address();
    settings.rank = rank;
    settings.identity = configured_.identity;
    settings.sizes = sizes_of(layers_of(kInitial, owner_, server));
    settings.connect_timeout = settings.answer_timeout = milliseconds(20'000);
    return settings;
  }
  std::unique_ptr<Channel> channel(int rank) {
    std::vector<std::unique_ptr<Link>> links;
    for (std::size_t s = 0; s < servers_.size(); ++s) {
      links.push_back(std::make_unique<SocketLink>(link_settings(rank, s)));
    }
    return std::make_unique<Channel>(std::move(links), owner_);
  }
  /// A worker that makes `steps` steps with a gradient of ones.
  void work(int rank, int steps) {
    Worker worker(*configured_.strategy, channel(rank));
    Layers parameters = zeros(sizes_of(kInitial)), ones = parameters;
    for (auto& layer : ones) std::fill(layer.begin(), layer.end(), 1.0f);
    worker.start(parameters);
    for (int i = 0; i < steps; ++i) worker.step(parameters, ones);
    worker.leave();
  }
  void work_together(int workers, int steps) {
    std::vector<std::future<void>> running;
    for (int rank = 0; rank < workers; ++rank) {
      running.push_back(std::async(std::launch::async, [=, this] { work(rank, steps); }));
    }
    for (auto& worker : running) worker.get();
  }

  support::TemporaryDirectory folder_;
  Configured configured_;
  std::vector<std::size_t> owner_;
  std::vector<std::unique_ptr<ServerThread>> servers_;
};

TEST_F(SocketTest, AppliesEveryPushOfEveryWorkerOnAllShards) {
  start(R"({"strategy": "downpour", "lr": 1})", 4, 3);
  work_together(4, 50);
  for (auto& server : servers_) {
    const auto report = server->stop();
    EXPECT_EQ(report.versions, std::vector<std::uint64_t>(report.centre.size(), 200));
    for (const auto& layer : report.centre) {
      for (const float x : layer) EXPECT_EQ(x, -200);
    }
  }
}

TEST_F(SocketTest, GoesInStepWhenSynchronous) {
  start(R"({"strategy": "synchronous", "lr": 1})", 4, 2);
  work_together(4, 20);
  const auto report = servers_[0]->stop();
  EXPECT_EQ(report.versions[0], 20u);
  EXPECT_EQ(report.staleness_max, 0u);
  EXPECT_EQ(report.centre[0][0], -20);
}

/// Parameters: the rule of all, how many pushes a sub-master gathers, whether it takes the mean.
struct Tree {
  const char* strategy;
  int gather;
  bool mean;
  std::uint64_t versions;  ///< expected of the server for 10 pushes of each of 4 workers
  float centre;
};

class TreeTest : public SocketTest, public ::testing::WithParamInterface<Tree> {};

TEST_P(TreeTest, SubMastersHandPushesUpAndWeightsDown) {
  const Tree tree = GetParam();
  start(tree.strategy, 2);
  const auto below = read_strategy(tree.strategy, 2);
  std::vector<std::unique_ptr<ServerThread>> masters;
  for (int rank = 0; rank < 2; ++rank) {
    SocketServerSettings settings;
    settings.strategy = tree.strategy;
    settings.workers = 2;
    masters.push_back(std::make_unique<ServerThread>(
        settings, std::make_unique<SubMaster>(below, SubMasterSettings{2, tree.gather, tree.mean},
                                              sizes_of(kInitial), channel(rank))));
  }
  std::vector<std::future<void>> running;
  for (int worker = 0; worker < 4; ++worker) {
    running.push_back(std::async(std::launch::async, [&, worker] {
      auto settings = link_settings(worker % 2);
      settings.address = masters[static_cast<std::size_t>(worker / 2)]->address();
      std::vector<std::unique_ptr<Link>> links;
      links.push_back(std::make_unique<SocketLink>(settings));
      Worker w(*below.strategy, std::make_unique<Channel>(std::move(links), owner_));
      Layers parameters = kInitial, ones{{1, 1, 1}, {1, 1}, {1}};
      w.start(parameters);
      for (int i = 0; i < 10; ++i) w.step(parameters, ones);
      w.leave();
    }));
  }
  for (auto& worker : running) worker.get();
  for (auto& master : masters) master->stop();
  const auto report = servers_[0]->stop();
  EXPECT_EQ(report.versions[0], tree.versions);
  EXPECT_EQ(report.centre[0][0], tree.centre);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, TreeTest,
    ::testing::Values(Tree{R"({"strategy": "downpour", "lr": 1})", 1, false, 40, -40},
                      Tree{R"({"strategy": "downpour", "lr": 1})", 2, false, 20, -40},
                      Tree{R"({"strategy": "downpour", "lr": 1})", 2, true, 20, -20},
                      Tree{R"({"strategy": "synchronous", "lr": 1})", 2, true, 10, -10}));

TEST_F(SocketTest, ElasticAveragingCannotHaveSubMasters) {
  start(R"({"strategy": "easgd"})", 1);
  EXPECT_THAT(failure_text([&] {
                SubMaster master(configured_, {1, 1, false}, sizes_of(kInitial), channel(0));
              }),
              HasSubstr("easgd cannot have sub-masters"));
}

TEST_F(SocketTest, GemPullsBeforeItPushes) {
  start(R"({"strategy": "gem", "lr": 1, "momentum": 0, "kappa": 1})", 1);
  work(0, 3);
  // Alone: each step moves the centre by 1; then it has moved by as much as the proxy allows, so
  // the next push is 0; then again.
  EXPECT_EQ(servers_[0]->stop().centre[0][0], -2);
}

TEST_F(SocketTest, AConnectionThatBreaksCostsNoUpdateAndDoublesNone) {
  start(R"({"strategy": "downpour", "lr": 1})", 1);
  SocketLink link(link_settings(0));
  const Layers ones{{1, 1, 1}, {1, 1}, {1}};
  for (int i = 0; i < 20; ++i) {
    Request request{true, false, {0, 0, 0}, {ones[0], ones[1], ones[2]}};
    Response response;
    if (i % 3 == 0) link.cut();  // before the push
    link.send(request);
    if (i % 3 == 1) link.cut();  // after it, and before its answer
    link.receive(response);
  }
  EXPECT_EQ(servers_[0]->stop().centre[0][0], -20);
}

TEST_F(SocketTest, AnObserverReadsWhileARoundIsOpen) {
  start(R"({"strategy": "synchronous"})", 2);
  auto waiting = std::async(std::launch::async, [this] { work(0, 1); });
  auto settings = link_settings(kObserver);
  settings.identity = "";
  SocketLink observer(settings);
  Layers centre = zeros(sizes_of(kInitial));
  for (int i = 0; i < 10; ++i) {
    Response response;
    for (auto& layer : centre) response.centre.emplace_back(layer);
    observer.send({});
    observer.receive(response);
    EXPECT_EQ(response.versions.size(), 3u);
  }
  EXPECT_EQ(waiting.wait_for(milliseconds(0)), std::future_status::timeout);
  work(1, 1);
  waiting.get();
}

TEST_F(SocketTest, AReaderThatDoesNotReadHoldsUpNobody) {
  start(R"({"strategy": "downpour", "lr": 1})", 1);
  auto settings = link_settings(kObserver);
  SocketLink lazy(settings);
  for (int i = 0; i < 100; ++i) lazy.send({});  // asks and never takes the answers
  work(0, 50);
  EXPECT_EQ(servers_[0]->stop().centre[0][0], -50);
}

/// Answers are sent from the weights themselves; these must not move under one that is on its way.
TEST_F(SocketTest, AnAnswerOnItsWayIsOfTheWeightsThatItWasGivenFor) {
  const char* json = R"({"strategy": "downpour", "lr": 1})";
  configured_ = read_strategy(json, 2);
  const Layers large{Layer(1'500'000, 0), Layer(700'000, 0)};  // no socket holds as much
  SocketServerSettings settings;
  settings.strategy = json;
  settings.workers = 2;
  settings.address = "unix://" + (folder_ / "server").string();
  ServerThread server(settings, large);
  const auto link = [&](int rank) {
    return SocketLink({server.address(), rank, configured_.identity, sizes_of(large)});
  };
  SocketLink slow = link(0), quick = link(1), observer = link(kObserver);
  Layers ones = large, got = large;
  for (auto& layer : ones) std::fill(layer.begin(), layer.end(), 1.0f);
  const Request push{true, true, {0, 0}, {ones[0], ones[1]}};
  const auto received = [&](SocketLink& from) {
    Response response;
    for (auto& layer : got) response.centre.emplace_back(layer);
    from.receive(response);
    return response.versions[0];
  };

  slow.send(push);
  std::uint64_t version = 0;
  while (version == 0) {
    observer.send({});
    version = received(observer);
  }
  quick.send(push);
  EXPECT_EQ(received(quick), 2u);
  EXPECT_EQ(received(slow), 1u);

  for (const auto& layer : got) {
    EXPECT_TRUE(std::all_of(layer.begin(), layer.end(), [](float x) { return x == -1; }));
  }
}

TEST_F(SocketTest, AWorkerThatIsGoneIsNotWaitedForAnyMore) {
  start(R"({"strategy": "synchronous", "lr": 1})", 2, 1, milliseconds(50));
  { SocketLink dead(link_settings(1)); }  // comes, and dies without a word
  work(0, 5);
  EXPECT_EQ(servers_[0]->stop().versions[0], 5u);
}

TEST_F(SocketTest, RefusesOtherSettingsAnotherModelAndUnknownRanks) {
  start(R"({"strategy": "gem", "kappa": 2})", 2);
  const auto refused = [](const SocketLinkSettings& settings) {
    return failure_text([&] { SocketLink link(settings); });
  };
  auto other = link_settings(1);
  other.identity = read_strategy(R"({"strategy": "gem", "kappa": 1})", 2).identity;
  EXPECT_THAT(refused(other),
              AllOf(HasSubstr("rank 1"), HasSubstr("give all the same"), HasSubstr("\"kappa\":1")));
  auto model = link_settings(1);
  model.sizes = {3, 2, 2};
  EXPECT_THAT(refused(model), HasSubstr("rank 1 has another model"));
  EXPECT_THAT(refused(link_settings(2)), HasSubstr("rank 2 is not one of the 2 workers"));
}

TEST_F(SocketTest, NobodyThereIsAnErrorThatNamesRankAndServer) {
  SocketLinkSettings settings;
  settings.address = "unix://" + (folder_ / "nobody").string();
  settings.rank = 3;
  settings.connect_timeout = milliseconds(30);
  EXPECT_THAT(failure_text([&] { SocketLink link(settings); }),
              AllOf(HasSubstr("rank 3"), HasSubstr("nobody"), HasSubstr("cannot be reached")));
  settings.address = "http://x";
  EXPECT_THAT(failure_text([&] { SocketLink link(settings); }),
              HasSubstr("unix:///path or tcp://host:port"));
}

TEST_F(SocketTest, ARoundThatDoesNotCloseEndsInAnErrorAndNotInWaitingForEver) {
  start(R"({"strategy": "synchronous"})", 2);
  auto settings = link_settings(0);
  settings.answer_timeout = milliseconds(50);
  SocketLink link(settings);
  const Layers ones{{1, 1, 1}, {1, 1}, {1}};
  Response response;
  EXPECT_THAT(failure_text([&] {
                link.send({true, false, {0, 0, 0}, {ones[0], ones[1], ones[2]}});
                link.receive(response);
              }),
              AllOf(HasSubstr("rank 0"), HasSubstr("no answer")));
}

/// What a stranger sends; the answer, as text.
std::string talk(const std::string& address, const Bytes& bytes) {
  const auto deadline = SteadyClock::now() + std::chrono::seconds(20);
  const Socket socket = connect_to(address, deadline);
  try {
    send_all(socket, {{const_cast<std::byte*>(bytes.data()), bytes.size()}}, deadline);
    ::shutdown(socket.fd(), SHUT_WR);
  } catch (const ConnectionLost&) {
  }
  std::string answer;
  char byte;
  try {
    while (true) {
      receive_all(socket, {{&byte, 1}}, deadline);
      answer += byte;
    }
  } catch (const ConnectionLost&) {
  }
  return answer;
}

Bytes bytes_of(const std::string& text) {
  Bytes bytes;
  Writer(bytes).raw(text.data(), text.size());
  return bytes;
}

TEST_F(SocketTest, TellsStrangersWhyAndServesOn) {
  start(R"({"strategy": "downpour", "lr": 1})", 1);
  const auto& address = servers_[0]->address();
  EXPECT_THAT(talk(address, bytes_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
              HasSubstr("not Betatune's protocol"));
  Bytes huge;
  Writer(huge)
      .number(kWireMagic)
      .number(kWireVersion)
      .number(std::uint16_t{1})
      .number(std::uint32_t{0xffffffff})
      .number(~std::uint64_t{0});
  EXPECT_THAT(talk(address, huge), HasSubstr("at most"));
  Bytes newer;
  Writer(newer)
      .number(kWireMagic)
      .number(std::uint16_t{9})
      .number(std::uint16_t{1})
      .number(std::uint32_t{0})
      .number(std::uint64_t{0});
  EXPECT_THAT(talk(address, newer), HasSubstr("wire version 9 instead of 1"));
  EXPECT_THAT(talk(address, make_frame(FrameKind::push, {}, 0)), HasSubstr("begin with a hello"));
  work(0, 3);
  EXPECT_EQ(servers_[0]->stop().centre[0][0], -3);
}

TEST_F(SocketTest, SurvivesAnyGarbling) {
  start(R"({"strategy": "downpour", "lr": 1})", 1);
  // A whole talk: hello, push, pull, leave; then cut and flipped everywhere.
  Bytes good = write_hello({0, configured_.identity, sizes_of(kInitial)});
  Bytes meta;
  Writer(meta).number(std::uint64_t{1}).number(std::uint8_t{1});
  for (int k = 0; k < 3; ++k) Writer(meta).number(std::uint64_t{0});
  const Bytes push = make_frame(FrameKind::push, meta, 6);
  Writer(good).raw(push.data(), push.size());
  const Layer ones(6, 0.0f);
  Writer(good).raw(ones.data(), 24);
  const Bytes pull = make_frame(FrameKind::pull, {}, 0);
  Writer(good).raw(pull.data(), pull.size());
  for (std::size_t i = 0; i < good.size(); ++i) {
    talk(servers_[0]->address(),
         Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(i)));
    Bytes flipped = good;
    flipped[i] ^= std::byte{static_cast<unsigned char>(1u << (i % 8))};
    talk(servers_[0]->address(), flipped);
  }
  work(0, 3);
  const auto centre = servers_[0]->stop().centre;
  // Flipped values were pushed for real; the server is alive and counts on from there.
  EXPECT_EQ(centre.size(), 3u);
}

}  // namespace
}  // namespace betatune::distributed::asynchronous
