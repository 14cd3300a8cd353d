// kill -9 of a server while workers push: no acknowledged update is lost, and none is applied
// twice.

#include <csignal>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_directory.hpp"
#include "trainers/torch/distributed/asynchronous/simulation/random_stream.hpp"
#include "trainers/torch/distributed/asynchronous/socket_link.hpp"
#include "trainers/torch/distributed/asynchronous/socket_server.hpp"

namespace betatune::distributed::asynchronous {
namespace {

const Layers kModel{Layer(1'000, 0.0f), Layer(3, 0.0f)};

/// A server process; dies with this object, or with the test.
class ServerProcess {
 public:
  explicit ServerProcess(const SocketServerSettings& settings) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      SocketServer(settings, kModel).run();
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  ~ServerProcess() { kill(); }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_;
};

/// Parameter: a strategy; all are such that n pushes of ones give a centre of -n.
class KillTest : public ::testing::TestWithParam<const char*> {};

TEST_P(KillTest, LosesNoAcknowledgedUpdateAndDoublesNone) {
  support::TemporaryDirectory folder;
  SocketServerSettings settings;
  settings.address = "unix://" + (folder / "server").string();
  settings.strategy = GetParam();
  settings.journal = JournalSettings{(folder / "state").string(), false, 40'000};
  const auto identity = read_strategy(settings.strategy, 1).identity;
  RandomStream random(1, 1);
  auto server = std::make_unique<ServerProcess>(settings);
  SocketLinkSettings link_settings{settings.address, 0, identity, sizes_of(kModel)};
  link_settings.connect_timeout = link_settings.answer_timeout = std::chrono::milliseconds(20'000);
  SocketLink link(link_settings);
  const Layers ones{Layer(1'000, 1.0f), Layer(3, 1.0f)};
  Layers centre = kModel;
  Response response;
  for (auto& layer : centre) response.centre.emplace_back(layer);
  std::vector<std::uint64_t> bases{0, 0};
  int kills = 0;
  for (int push = 1; push <= 300; ++push) {
    const bool dies = random.uniform() < 0.1;
    if (dies && random.uniform() < 0.5) server->kill();  // before the push
    link.send({true, true, bases, {ones[0], ones[1]}});
    if (dies) {
      server->kill();  // somewhere on the way, or after all of it
      server = std::make_unique<ServerProcess>(settings);
      ++kills;
    }
    link.receive(response);
    bases = response.versions;
    ASSERT_EQ(centre[0][999], -push);
    ASSERT_EQ(centre[1][2], -push);
    ASSERT_EQ(bases[0], static_cast<std::uint64_t>(push));
  }
  EXPECT_GT(kills, 10);
}

INSTANTIATE_TEST_SUITE_P(Rules, KillTest,
                         ::testing::Values(R"({"strategy": "downpour", "lr": 1})",
                                           R"({"strategy": "softsync", "lr": 1})",
                                           R"({"strategy": "synchronous", "lr": 1})"));

}  // namespace
}  // namespace betatune::distributed::asynchronous
