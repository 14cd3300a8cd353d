/// Communication that is tuned while a training goes on: the ranks change it at the same steps, and
/// the training is the one that it would have been.

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <torch/torch.h>

#include "tests/support/file_text.hpp"
#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/data_parallel.hpp"
#include "trainers/torch/distributed/tuning.hpp"

namespace betatune::distributed {
namespace {

using support::RankResult;
using support::run_ranks;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Json = nlohmann::json;

struct TunedPlan {
  Backend backend = Backend::shared_memory;
  DataParallelOptions options;
  /// Enough for a search of 26 windows of 3 steps and those between them.
  int steps = 150;
  std::string load, save;  ///< folders; "": neither
};

TunedPlan tuned(TunedPlan plan = {}) {
  plan.options.tuning_window = 3;
  return plan;
}

/// Six layers of 1 KiB and more; buckets from 1 KiB on, so that there is something to choose.
TunedPlan small_buckets() {
  TunedPlan plan;
  plan.options.buckets = {1'024, 1'024};
  return plan;
}

/// Of a training on one rank: its weights, how often the buckets changed, and what it says.
Json trained(const World& world, const TunedPlan& plan) {
  at::set_num_threads(1);
  torch::manual_seed(5);
  torch::nn::Sequential net;
  for (int i = 0; i < 6; ++i) {
    net->push_back(torch::nn::Linear(16, 16));
    net->push_back(torch::nn::Tanh());
  }
  Replica replica;
  for (const auto& p : net->named_parameters()) {
    replica.parameters.emplace_back(p.key(), p.value());
  }
  DataParallel strategy(make_communicator(plan.backend, world), plan.options);
  strategy.attach(replica);
  if (!plan.load.empty()) strategy.load(plan.load);
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(9);
  std::set<std::vector<std::vector<std::size_t>>> layouts;
  Json found{{"news", Json::array()}};
  for (int step = 0; step < plan.steps; ++step) {
    const std::int64_t batch = step % 10 == 9 ? 7 : 12;
    const auto x = torch::randn({batch, 16}, generator);
    const Slice own = slice_of(batch, world.rank, world.size);
    const auto part = x.slice(0, own.begin, own.end);
    const auto loss = torch::nn::functional::mse_loss(net->forward(part), torch::sin(part));
    strategy.backward(loss, static_cast<double>(own.count()) / static_cast<double>(batch), true);
    layouts.insert(strategy.buckets());
    strategy.step(optimizer);
    if (step % 10 == 9) strategy.finish_epoch();
    if (const std::string news = strategy.news(); !news.empty()) found["news"].push_back(news);
  }
  if (!plan.save.empty()) strategy.save(plan.save);
  found["layouts"] = layouts.size();
  found["last"] = strategy.buckets();
  found["metrics"] = strategy.metrics();
  std::vector<float> weights;
  for (const auto& [name, p] : replica.parameters) {
    const auto flat = p.detach().contiguous().view(-1);
    weights.insert(weights.end(), flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  }
  found["weights"] = weights;
  return found;
}

/// Of rank 0; the others must have found the same.
Json train(const TunedPlan& plan, int size) {
  const auto results =
      run_ranks(size, [&](const World& world) { return trained(world, plan).dump(); });
  for (const RankResult& rank : results) {
    EXPECT_TRUE(rank.returned()) << rank.text;
    EXPECT_TRUE(rank.text == results[0].text) << "ranks differ";
  }
  return results[0].returned() ? Json::parse(results[0].text) : Json();
}

double largest_difference(const Json& a, const Json& b) {
  double largest = a["weights"].size() == b["weights"].size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < a["weights"].size() && i < b["weights"].size(); ++i) {
    const double x = a["weights"][i], y = b["weights"][i];
    largest = std::max(largest, std::abs(x - y));
  }
  return largest;
}

class TunedCommunication : public ::testing::TestWithParam<std::tuple<Backend, int>> {
 protected:
  void SetUp() override {
    if (!has_backend(std::get<0>(GetParam()))) GTEST_SKIP() << "not in this build";
    plan_.backend = std::get<0>(GetParam());
  }
  int size() const { return std::get<1>(GetParam()); }
  TunedPlan plan_ = small_buckets();
};

TEST_P(TunedCommunication, TrainsWhatTheUntunedGangTrains) {
  const Json without = train(plan_, size()), with = train(tuned(plan_), size());

  // Sums over the ranks may be made in another order in other buckets.
  EXPECT_LE(largest_difference(with, without), 1e-6);
  EXPECT_LE(without["layouts"], 2u) << "before and after the rebuild";
  EXPECT_GT(with["layouts"], 3u) << "it tried others";
}

TEST_P(TunedCommunication, TrainsTheSameWithTheGradientClipped) {
  plan_.options.max_gradient_norm = 0.05;
  EXPECT_LE(largest_difference(train(tuned(plan_), size()), train(plan_, size())), 1e-6);
}

TEST_P(TunedCommunication, EndsWithWhatItSaysThatItFound) {
  const Json with = train(tuned(plan_), size());

  ASSERT_EQ(with["news"].size(), 1u);
  EXPECT_THAT(with["news"][0].get<std::string>(), StartsWith("communication tuned in "));
  const Json& metrics = with["metrics"];
  EXPECT_GE(metrics["tuned_speed_up"], 1);
  EXPECT_EQ(metrics.contains("tuned_piece_kib"), plan_.backend == Backend::shared_memory);
  TunedPlan told = plan_;
  told.steps = 2;
  told.options.buckets = {
      static_cast<std::size_t>(metrics["tuned_first_bucket_mib"].get<double>() * (1 << 20)),
      static_cast<std::size_t>(metrics["tuned_bucket_mib"].get<double>() * (1 << 20))};
  EXPECT_EQ(train(told, size())["last"], with["last"]);
}

INSTANTIATE_TEST_SUITE_P(Backends, TunedCommunication,
                         ::testing::Combine(::testing::Values(Backend::shared_memory,
                                                              Backend::gloo),
                                            ::testing::Values(2, 3)),
                         [](const auto& test) {
                           return name_of(std::get<0>(test.param)) + "_" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST(TunedCommunicationOverSharedMemory, HasTheBitsOfTheUntunedTraining) {
  // Each element is summed from rank 0 to the last, in whatever bucket and piece it is.
  const TunedPlan plan = small_buckets();
  EXPECT_EQ(train(tuned(plan), 3)["weights"], train(plan, 3)["weights"]);
}

TEST(TunedCommunicationOverSharedMemory, GoesWithCompressionAndAnOptimizerInShards) {
  TunedPlan plan = small_buckets();
  plan.options.shard_optimizer = true;
  plan.options.compression = {CompressionKind::powersgd, 2, 10};
  EXPECT_LE(largest_difference(train(tuned(plan), 2), train(plan, 2)), 1e-6);
}

TEST(TunedCommunicationOverSharedMemory, SendsPiecesOfAnySizeWithTheSameResult) {
  const auto results = run_ranks(3, [](const World& world) {
    const auto c = make_communicator(Backend::shared_memory, world);
    std::string sums;
    for (const std::size_t bytes : c->pieces()) {
      c->set_piece(bytes);
      torch::manual_seed(1 + static_cast<std::uint64_t>(world.rank));
      auto tensor = torch::randn({700'001});
      c->all_reduce(tensor);
      const std::string content(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes());
      sums += std::to_string(std::hash<std::string>{}(content)) + ' ';
    }
    return sums;
  });
  std::istringstream all(results[0].text);
  std::set<std::string> different{std::istream_iterator<std::string>(all), {}};
  EXPECT_EQ(different.size(), 1u) << results[0].text;
  EXPECT_EQ(results[1].text, results[0].text);
}

// ---- checkpoints

TEST(TunedCommunicationFromACheckpoint, KeepsWhatWasFound) {
  const support::TemporaryDirectory folder;
  TunedPlan plan = tuned(small_buckets());
  plan.save = folder.path().string();
  const Json before = train(plan, 2);
  ASSERT_FALSE(before["metrics"].empty());
  plan.save.clear();
  plan.load = folder.path().string();
  plan.steps = 10;

  const Json after = train(plan, 2);

  EXPECT_EQ(after["last"], before["last"]);
  EXPECT_EQ(after["metrics"], before["metrics"]);
  EXPECT_LE(after["layouts"], 2u) << "nothing else was tried";
  ASSERT_EQ(after["news"].size(), 1u);
  EXPECT_THAT(after["news"][0].get<std::string>(), HasSubstr("as tuned before"));
}

TEST(TunedCommunicationFromACheckpoint, GoesOnWithASearchThatWasNotOver) {
  const support::TemporaryDirectory folder;
  TunedPlan plan = tuned(small_buckets());
  plan.steps = 25;
  plan.save = folder.path().string();
  ASSERT_TRUE(train(plan, 2)["metrics"].empty());
  const auto scores = [&] {
    return Json::parse(support::file_text(folder.path() / "communication.json"))["seconds"];
  };
  const Json first = scores();
  ASSERT_GE(first.size(), 2u);
  plan.load = plan.save;

  train(plan, 2);

  const Json both = scores();
  ASSERT_GT(both.size(), first.size());
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(both[i], first[i]);
}

TEST(TunedCommunicationFromACheckpoint, OfAnotherGangIsTunedAnewAndSaysSo) {
  const support::TemporaryDirectory folder;
  TunedPlan plan = tuned(small_buckets());
  plan.save = folder.path().string();
  train(plan, 2);
  plan.save.clear();
  plan.load = folder.path().string();

  const Json of_three = train(plan, 3);

  ASSERT_EQ(of_three["news"].size(), 2u);
  EXPECT_THAT(of_three["news"][0].get<std::string>(),
              AllOf(HasSubstr("tuned anew"), HasSubstr("2 ranks"), HasSubstr("3 ranks")));
}

TEST(TunedCommunicationFromACheckpoint, OfATrainingThatWasNotTunedIsNoTrouble) {
  const support::TemporaryDirectory folder;
  TunedPlan plan = tuned(small_buckets());
  plan.load = folder.path().string();

  const Json found = train(plan, 2);

  ASSERT_EQ(found["news"].size(), 2u);
  EXPECT_THAT(found["news"][0].get<std::string>(), HasSubstr("tuned anew"));
  EXPECT_FALSE(found["metrics"].empty());
}

TEST(TunedCommunicationFromACheckpoint, ThatIsDamagedIsNamed) {
  for (const char* text : {"", "{}", "[1", R"({"version": 1, "of": "x", "seconds": [1, "a"]})",
                           R"({"version": 1, "of": "x", "seconds": [1, -1]})",
                           R"({"version": 2, "of": "x", "seconds": []})"}) {
    const support::TemporaryDirectory folder;
    std::ofstream(folder.path() / "communication.json") << text;
    TunedPlan plan = tuned(small_buckets());
    plan.load = folder.path().string();
    for (const RankResult& rank :
         run_ranks(2, [&](const World& world) { return trained(world, plan).dump(); })) {
      EXPECT_EQ(rank.failure_class, BETATUNE_CHECKPOINT) << text;
      EXPECT_THAT(rank.text, HasSubstr("communication.json cannot be read")) << text;
    }
  }
}

}  // namespace
}  // namespace betatune::distributed
