/// What every Communicator must do, for 1 to 4 ranks; each rank is a process.

#include "trainers/torch/distributed/communicator.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/support/ranks.hpp"

namespace betatune::distributed {
namespace {

using support::RankOptions;
using support::RankResult;
using support::run_ranks;

std::string backend_name(Backend backend) {
  return name_of(backend);
}

void expect_all(const std::vector<RankResult>& results, const std::string& text = "ok") {
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    EXPECT_TRUE(results[rank].returned()) << "rank " << rank << ": " << results[rank].text;
    EXPECT_EQ(results[rank].text, text) << "rank " << rank;
  }
}

/// "" or what is wrong; a rank returns it.
std::string unequal(const char* what, const at::Tensor& got, const at::Tensor& want) {
  const at::Tensor here = got.cpu();
  if (here.equal(want)) return "";
  std::ostringstream text;
  text << what << ": got " << here.flatten().slice(0, 0, 8) << ", want "
       << want.flatten().slice(0, 0, 8);
  return text.str();
}

/// Counted without CUDA, which must not start before the ranks are forked.
int gpus() {
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) {
    const std::string list = visible;
    return list.empty() ? 0 : static_cast<int>(std::count(list.begin(), list.end(), ',')) + 1;
  }
  std::error_code none;
  const std::filesystem::directory_iterator listed("/proc/driver/nvidia/gpus", none);
  return none ? 0 : static_cast<int>(std::distance(begin(listed), end(listed)));
}

class CommunicatorTest : public ::testing::TestWithParam<std::tuple<Backend, int>> {
 protected:
  void SetUp() override {
    if (!has_backend(backend())) GTEST_SKIP() << name_of(backend()) << " is not in this build";
    if (backend() == Backend::nccl && gpus() < size()) {
      GTEST_SKIP() << "nccl with " << size() << " rank(s) needs as many GPUs; here are " << gpus();
    }
  }
  Backend backend() const { return std::get<0>(GetParam()); }
  int size() const { return std::get<1>(GetParam()); }

  std::vector<RankResult> run(const std::function<std::string(Communicator&)>& body,
                              const RankOptions& options = {}) const {
    return run_ranks(
        size(),
        [&, b = backend()](const World& world) {
          at::set_num_threads(1);
          const auto communicator = make_communicator(b, world, "1");
          const std::string text = body(*communicator);
          communicator->barrier();
          return text.empty() ? "ok" : text;
        },
        options);
  }
};

/// Different on every rank, and whole, so that sums are exact in every type.
at::Tensor pattern(std::int64_t count, int rank, at::ScalarType type = at::kFloat) {
  return at::arange(count, at::kLong).remainder(13).add(3 * rank + 1).to(type);
}
/// The same where the ranks exchange it.
at::Tensor pattern_of(const Communicator& c, std::int64_t count, at::ScalarType type = at::kFloat) {
  return pattern(count, c.rank(), type).to(c.device());
}
at::TensorOptions there(const Communicator& c) {
  return at::dtype(at::kFloat).device(c.device());
}

TEST_P(CommunicatorTest, SumsAveragesAndBoundsEveryType) {
  expect_all(run([](Communicator& c) -> std::string {
    for (const auto type :
         {at::kFloat, at::kDouble, at::kLong, at::kInt, at::kByte, at::kHalf, at::kBFloat16}) {
      // Sizes around those of the pieces and shares that messages go in.
      for (const std::int64_t count : {1, 3, 1000, 70'001, 300'000}) {
        auto sum = pattern_of(c, count, type), most = sum.clone(), least = sum.clone();
        auto want = at::zeros({count}, at::kDouble);
        for (int r = 0; r < c.size(); ++r) want += pattern(count, r, at::kDouble);
        c.all_reduce(sum, Reduction::sum);
        c.all_reduce(most, Reduction::maximum);
        c.all_reduce(least, Reduction::minimum);
        auto error = unequal("sum", sum, want.to(type)) +
                     unequal("maximum", most, pattern(count, c.size() - 1, type)) +
                     unequal("minimum", least, pattern(count, 0, type));
        if (!error.empty()) return std::string(at::toString(type)) + ' ' + error;
        if (!at::isFloatingType(type)) continue;
        auto average = pattern_of(c, count, at::kDouble).to(type);
        c.all_reduce(average, Reduction::average);
        if (!average.cpu().to(at::kDouble).allclose(want / c.size(), 0.01, 0)) return "average";
      }
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, SumsHaveTheSameBitsOnEveryRankAndInEveryRun) {
  const auto sums = [](Communicator& c) {
    auto numbers = at::arange(100'000, at::kDouble).mul(0.37 + c.rank()).sin().to(there(c));
    c.all_reduce(numbers, Reduction::sum);
    numbers = numbers.cpu();
    return std::string(static_cast<const char*>(numbers.data_ptr()), numbers.nbytes());
  };
  const auto first = run(sums), second = run(sums);
  for (const auto& result : first) {
    ASSERT_TRUE(result.returned()) << result.text;
    EXPECT_TRUE(result.text == first[0].text);
  }
  EXPECT_TRUE(second[0].text == first[0].text);
}

TEST_P(CommunicatorTest, BroadcastsFromEveryRank) {
  expect_all(run([](Communicator& c) -> std::string {
    for (int root = 0; root < c.size(); ++root) {
      for (const std::int64_t count : {1, 200'000}) {
        auto t = pattern_of(c, count);
        c.broadcast(t, root);
        if (const auto e = unequal("broadcast", t, pattern(count, root)); !e.empty()) return e;
      }
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, GathersByRank) {
  expect_all(run([](Communicator& c) -> std::string {
    for (const std::int64_t count : {1, 7, 150'000}) {
      auto all = at::empty({c.size(), count}, there(c));
      c.all_gather(all, pattern_of(c, count));
      for (int r = 0; r < c.size(); ++r) {
        if (const auto e = unequal("gather", all[r], pattern(count, r)); !e.empty()) return e;
      }
    }
    const auto texts = c.gather_texts(std::string(static_cast<std::size_t>(c.rank()), 'x'));
    for (int r = 0; r < c.size(); ++r) {
      if (texts[static_cast<std::size_t>(r)] != std::string(static_cast<std::size_t>(r), 'x')) {
        return "texts";
      }
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, ReducesAndScattersLikeAnAllReduceOfWhichEachKeepsItsPart) {
  expect_all(run([](Communicator& c) -> std::string {
    for (const std::int64_t count : {1, 5, 100'003}) {
      auto whole = pattern_of(c, count * c.size()), part = at::empty({count}, there(c));
      auto want = at::zeros({count * c.size()});
      for (int r = 0; r < c.size(); ++r) want += pattern(count * c.size(), r);
      c.reduce_scatter(part, whole, Reduction::sum);
      const auto own = want.narrow(0, c.rank() * count, count);
      if (const auto e = unequal("reduce_scatter", part, own); !e.empty()) return e;
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, SendsRoundARingWithoutWaitingForTheReceiver) {
  expect_all(run([](Communicator& c) -> std::string {
    if (c.size() == 1) return "";
    const int next = (c.rank() + 1) % c.size(), previous = (c.rank() + c.size() - 1) % c.size();
    std::vector<Communicator::Handle> sends;
    for (const std::int64_t count : {1, 90'000, 3}) {
      sends.push_back(c.start_send(pattern_of(c, count), next));
    }
    for (const std::int64_t count : {1, 90'000, 3}) {
      auto t = at::empty({count}, there(c));
      c.receive(t, previous);
      if (const auto e = unequal("ring", t, pattern(count, previous)); !e.empty()) return e;
    }
    for (const auto& send : sends) send->wait();
    return "";
  }));
}

TEST_P(CommunicatorTest, FinishesWhatWasStartedInAnyOrderOfWaiting) {
  expect_all(run([](Communicator& c) -> std::string {
    std::vector<at::Tensor> tensors;
    std::vector<Communicator::Handle> works;
    for (int i = 0; i < 20; ++i) {
      tensors.push_back(at::full({1000 * (i + 1)}, static_cast<float>(i + c.rank()), there(c)));
      works.push_back(c.start_all_reduce(tensors.back(), Reduction::sum));
    }
    for (int i = 19; i >= 0; --i) {
      const auto index = static_cast<std::size_t>(i);
      works[index]->wait();
      const auto span = works[index]->span();
      if (span.end < span.begin) return "span";
      const int want = c.size() * i + c.size() * (c.size() - 1) / 2;
      if (!tensors[index].eq(want).all().item<bool>()) return "sum " + std::to_string(i);
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, KeepsTheOrderOfTheMemoryOfChannelsLast) {
  expect_all(run([](Communicator& c) -> std::string {
    auto t = pattern_of(c, 2 * 3 * 4 * 5).view({2, 3, 4, 5});
    t = t.contiguous(at::MemoryFormat::ChannelsLast);
    auto want = at::zeros({2, 3, 4, 5});
    for (int r = 0; r < c.size(); ++r) want += pattern(120, r).view({2, 3, 4, 5});
    c.all_reduce(t, Reduction::sum);
    return unequal("channels last", t, want);
  }));
}

TEST_P(CommunicatorTest, RefusesTensorsThatCannotBeExchanged) {
  expect_all(run([](Communicator& c) -> std::string {
    const auto refused = [](const std::function<void()>& call, const char* word) {
      try {
        call();
      } catch (const CommunicationError& e) {
        return std::string(e.what()).find(word) != std::string::npos;
      }
      return false;
    };
    if (!refused([&] { c.all_reduce(at::ones({4, 4}, there(c)).t().slice(0, 0, 4, 2)); }, "gaps"))
      return "a";
    if (!refused(
            [&] { c.all_reduce(at::ones({2}, there(c).dtype(at::kLong)), Reduction::average); },
            "integers")) {
      return "b";
    }
    if (!refused([&] { c.broadcast(at::ones({2}, there(c)), c.size()); }, "rank")) return "c";
    if (!refused([&] { c.all_gather(at::ones({c.size() + 1}, there(c)), at::ones({1}, there(c))); },
                 "part")) {
      return "d";
    }
    return "";
  }));
}

TEST_P(CommunicatorTest, NamesTheRanksThatRunAnotherVersion) {
  if (size() == 1) return;
  const auto results = run_ranks(size(), [&](const World& world) {
    (void)make_communicator(backend(), world, world.rank == 1 ? "2" : "1");
    return "made";
  });
  for (const auto& result : results) {
    EXPECT_EQ(result.kind, RankResult::Kind::threw);
    EXPECT_EQ(result.text, "the ranks differ: version 1 on rank 1 is `2`, on rank 0 `1`");
  }
}

TEST_P(CommunicatorTest, NamesARankThatDoesNotComeToTheRendezvous) {
  if (size() == 1) return;
  RankOptions options;
  options.timeout = std::chrono::milliseconds(500);
  options.absent = {size() - 1};
  const auto results = run([](Communicator&) { return ""; }, options);
  for (int rank = 0; rank + 1 < size(); ++rank) {
    const auto& result = results[static_cast<std::size_t>(rank)];
    EXPECT_EQ(result.failure_class, BETATUNE_INFRA);
    EXPECT_NE(result.text.find("rank(s) " + std::to_string(size() - 1)), std::string::npos)
        << result.text;
    EXPECT_NE(result.text.find("did not arrive at the rendezvous"), std::string::npos)
        << result.text;
  }
}

TEST_P(CommunicatorTest, NamesRankZeroIfItDoesNotComeToTheRendezvous) {
  if (size() == 1) return;
  RankOptions options;
  options.timeout = std::chrono::milliseconds(500);
  options.absent = {0};
  const auto results = run([](Communicator&) { return ""; }, options);
  for (std::size_t rank = 1; rank < results.size(); ++rank) {
    EXPECT_EQ(results[rank].failure_class, BETATUNE_INFRA);
    EXPECT_NE(results[rank].text.find(" 0 "), std::string::npos) << results[rank].text;
  }
}

TEST_P(CommunicatorTest, FailsOnAllOthersWhenARankDies) {
  if (size() == 1) return;
  const int victim = size() - 1;
  const auto results = run([&](Communicator& c) -> std::string {
    for (int i = 0; i < 100; ++i) {
      if (i == 50 && c.rank() == victim) raise(SIGKILL);
      c.all_reduce(at::ones({100'000}, there(c)), Reduction::sum);
    }
    return "";
  });
  EXPECT_EQ(results[static_cast<std::size_t>(victim)].kind, RankResult::Kind::died);
  for (int rank = 0; rank < victim; ++rank) {
    const auto& result = results[static_cast<std::size_t>(rank)];
    EXPECT_EQ(result.kind, RankResult::Kind::threw);
    EXPECT_EQ(result.failure_class, BETATUNE_INFRA);
    const std::string number = std::to_string(victim);
    EXPECT_TRUE(result.text.find("rank " + number) != std::string::npos ||
                result.text.find("rank(s) " + number) != std::string::npos)
        << result.text;
  }
}

TEST_P(CommunicatorTest, FailsWithinTheTimeoutAndNamesAStoppedRank) {
  if (size() == 1) return;
  const int victim = size() - 1;
  RankOptions options;
  options.timeout = std::chrono::milliseconds(1000);
  options.stuck = {victim};
  const auto results = run(
      [&](Communicator& c) -> std::string {
        c.all_reduce(at::ones({1000}, there(c)), Reduction::sum);
        if (c.rank() == victim) raise(SIGSTOP);
        c.all_reduce(at::ones({1000}, there(c)), Reduction::sum);
        return "";
      },
      options);
  EXPECT_EQ(results[static_cast<std::size_t>(victim)].kind, RankResult::Kind::ended_by_test);
  for (int rank = 0; rank < victim; ++rank) {
    const auto& result = results[static_cast<std::size_t>(rank)];
    EXPECT_EQ(result.kind, RankResult::Kind::threw) << result.text;
    EXPECT_NE(result.text.find("rank(s) " + std::to_string(victim) + " did not arrive"),
              std::string::npos)
        << result.text;
  }
}

TEST_P(CommunicatorTest, AbortEndsTheWaitingOfTheOthersWithItsReason) {
  if (size() == 1) return;
  const auto results = run([&](Communicator& c) -> std::string {
    if (c.rank() == 0) {
      c.abort("the data are gone");
      throw std::runtime_error("the data are gone");
    }
    c.all_reduce(at::ones({1000}, there(c)), Reduction::sum);
    return "";
  });
  for (std::size_t rank = 1; rank < results.size(); ++rank) {
    EXPECT_EQ(results[rank].kind, RankResult::Kind::threw);
    EXPECT_NE(results[rank].text.find("rank 0"), std::string::npos) << results[rank].text;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, CommunicatorTest,
                         ::testing::Combine(::testing::Values(Backend::shared_memory, Backend::gloo,
                                                              Backend::nccl),
                                            ::testing::Values(1, 2, 3, 4)),
                         [](const auto& test) {
                           return backend_name(std::get<0>(test.param)) + "_" +
                                  std::to_string(std::get<1>(test.param));
                         });

// ---- what only one of them does
// ------------------------------------------------------------------

TEST(SharedMemory, SaysWhichRankCallsWhatWhenCallsDiffer) {
  const auto results = run_ranks(2, [](const World& world) -> std::string {
    const auto c = make_communicator(Backend::shared_memory, world);
    const auto t = at::ones({world.rank == 0 ? 10 : 20});
    c->all_reduce(t, Reduction::sum);
    return "";
  });
  for (const auto& result : results) {
    EXPECT_EQ(result.failure_class, BETATUNE_ERROR);
    EXPECT_NE(result.text.find("all_reduce (sum) of 10 x float32"), std::string::npos);
    EXPECT_NE(result.text.find("all_reduce (sum) of 20 x float32"), std::string::npos);
  }
}

TEST(SharedMemory, LeavesNoRendezvousFileAndRefusesOneThatIsThere) {
  const support::TemporaryDirectory folder;
  const std::string path = (folder.path() / "meet").string();
  RankOptions options;
  options.rendezvous = "file://" + path;
  const auto meet = [](const World& world) -> std::string {
    (void)make_communicator(Backend::shared_memory, world);
    return "met";
  };
  expect_all(run_ranks(2, meet, options), "met");
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  close(creat(path.c_str(), 0600));
  options.timeout = std::chrono::milliseconds(300);
  const auto again = run_ranks(2, meet, options);
  EXPECT_NE(again[0].text.find("fresh"), std::string::npos) << again[0].text;
}

TEST(SharedMemory, TellsTwoProcessesOfOneRankApart) {
  RankOptions options;
  options.timeout = std::chrono::milliseconds(2000);
  options.absent = {2};  // so that the rendezvous stays open
  const auto second = [](const World& world) -> std::string {
    if (world.rank == 1 && fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        (void)make_communicator(Backend::shared_memory, world);
        usleep(5'000'000);
      } catch (const std::exception&) {
      }
      _exit(0);
    }
    if (world.rank == 1) usleep(300'000);  // the other one is there first
    (void)make_communicator(Backend::shared_memory, world);
    return "";
  };
  const auto results = run_ranks(3, second, options);
  EXPECT_NE(results[1].text.find("a second process says that it is rank 1"), std::string::npos)
      << results[1].text;
}

/// Else a rank that writes to one which has just died dies too, now and then, without a word.
TEST(Gloo, GetsAnErrorAndNoSignalForWritingToWhoIsGone) {
  if (!has_backend(Backend::gloo)) GTEST_SKIP() << "gloo is not in this build";
  expect_all(run_ranks(2, [](const World& world) -> std::string {
    const auto c = make_communicator(Backend::gloo, world);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return "no sockets";
    close(ends[0]);
    const bool refused = write(ends[1], "x", 1) == -1 && errno == EPIPE;
    close(ends[1]);
    c->barrier();
    return refused ? "ok" : "written";
  }));
}

TEST(Gloo, MeetsAtATcpAddress) {
  if (!has_backend(Backend::gloo)) GTEST_SKIP() << "gloo is not in this build";
  // A port that is free now; between here and rank 0 somebody might take it, hence the tries.
  std::vector<RankResult> results;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const int s = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(bind(s, reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(getsockname(s, reinterpret_cast<sockaddr*>(&address), &length), 0);
    close(s);
    RankOptions options;
    options.rendezvous = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    results = run_ranks(
        3,
        [](const World& world) -> std::string {
          const auto c = make_communicator(Backend::automatic, world);
          std::vector<double> values{1.0 + world.rank};
          c->sum(values);
          c->barrier();
          return c->name() + ' ' + std::to_string(static_cast<int>(values[0]));
        },
        options);
    if (results[0].returned()) break;
  }
  expect_all(results, "gloo 6");
}

TEST(Nccl, SaysThatItWasNotCompiledWhereItWasNot) {
  if (has_backend(Backend::nccl)) GTEST_SKIP() << "it was";
  try {
    (void)make_communicator(Backend::nccl, {0, 2, 0, "file:///tmp/x"});
    FAIL() << "made";
  } catch (const CommunicationError& e) {
    EXPECT_NE(std::string(e.what()).find("BETATUNE_WITH_CUDA"), std::string::npos);
  }
}

TEST(Nccl, IsWhatRanksOnGpusTakeByThemselves) {
  const auto results = run_ranks(2, [](const World& world) {
    World on_gpu = world;
    on_gpu.on_gpu = true;
    return make_communicator(Backend::automatic, on_gpu)->name();
  });
  // Without GPUs it says why it cannot; on machines with two it is there.
  for (const RankResult& result : results) {
    EXPECT_NE(result.text.find("nccl"), std::string::npos) << result.text;
    EXPECT_EQ(result.returned(), has_backend(Backend::nccl) && gpus() > 1) << result.text;
  }
}

TEST(Nccl, RefusesRanksThatShareAGpuAndNamesThem) {
  if (!has_backend(Backend::nccl)) GTEST_SKIP() << "nccl is not in this build";
  if (gpus() == 0) GTEST_SKIP() << "no GPU here";
  const auto results = run_ranks(2, [](World world) -> std::string {
    world.local_rank = 0;
    (void)make_communicator(Backend::nccl, world);
    return "made";
  });
  for (const RankResult& result : results) {
    EXPECT_EQ(result.failure_class, BETATUNE_ERROR);
    EXPECT_NE(result.text.find("ranks 0 and 1 share the GPU"), std::string::npos) << result.text;
  }
}

TEST(Nccl, RefusesATensorOnTheCpu) {
  if (!has_backend(Backend::nccl)) GTEST_SKIP() << "nccl is not in this build";
  if (gpus() == 0) GTEST_SKIP() << "no GPU here";
  const auto results = run_ranks(1, [](const World& world) -> std::string {
    make_communicator(Backend::nccl, world)->all_reduce(at::ones({2}));
    return "";
  });
  EXPECT_NE(results[0].text.find("of a tensor on cpu"), std::string::npos) << results[0].text;
}

}  // namespace
}  // namespace betatune::distributed
