/// An optimizer in shards must be what every rank's own would have been, bit for bit.

#include "trainers/torch/distributed/optimizer_shards.hpp"

#include <filesystem>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/file_text.hpp"
#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/data_parallel.hpp"
#include "trainers/torch/engine/engine.hpp"
#include "trainers/torch/engine/task.hpp"

namespace betatune::distributed::shards_tests {
namespace {

namespace fs = std::filesystem;
using engine::Engine;
using engine::Part;
using engine::Recipe;
using support::RankResult;
using support::run_ranks;

/// Least squares by a small network, with a layer that no sample uses.
class Regression final : public engine::Task {
 public:
  std::shared_ptr<torch::nn::Module> make_model() override {
    network_ = torch::nn::Sequential(torch::nn::Linear(7, 33), torch::nn::Tanh(),
                                     torch::nn::Linear(33, 600), torch::nn::Tanh(),
                                     torch::nn::Linear(600, 3));
    network_->register_module("unused", std::make_shared<torch::nn::LinearImpl>(40, 40));
    return network_.ptr();
  }
  void move_to(const at::Device&) override {}
  bool classifies() const override { return false; }
  std::int64_t count(Part) const override { return 50; }
  at::Tensor loss(const at::Tensor& samples) override {
    return (network_->forward(x_.index_select(0, samples)) - y_.index_select(0, samples))
        .square()
        .mean();
  }
  engine::Judgement judge(Part, std::int64_t, std::int64_t) override { return {}; }

 private:
  static at::Tensor grid(std::int64_t columns, double step) {
    return at::arange(50 * columns, at::kDouble).mul(step).sin().to(at::kFloat).view({50, columns});
  }
  torch::nn::Sequential network_{nullptr};
  at::Tensor x_ = grid(7, 1.37), y_ = grid(3, 0.71);
};

Recipe recipe_of(engine::OptimizerKind kind, double clip_norm) {
  Recipe recipe;
  recipe.optimizer.kind = kind;
  recipe.optimizer.lr = kind == engine::OptimizerKind::sgd ? 0.05 : 0.003;
  recipe.optimizer.weight_decay = 0.01;
  recipe.optimizer.clip_norm = clip_norm;
  recipe.batch_size = 16;  // the last batch of an epoch has two samples
  recipe.epochs = 4;
  return recipe;
}

/// Some epochs of a training, by a gang or, with 0 ranks, by a process of its own.
struct Stage {
  int ranks = 1;
  bool sharded = true;
  std::int64_t first = 1, last = 2;
  fs::path from, to;  ///< checkpoints; from may be empty
};

std::shared_ptr<Strategy> strategy_of(const Stage& stage, const Recipe& recipe,
                                      const World& world) {
  if (stage.ranks == 0) return nullptr;
  DataParallelOptions options;
  options.max_gradient_norm = recipe.optimizer.clip_norm;
  options.shard_optimizer = stage.sharded;
  return std::make_shared<DataParallel>(make_communicator(Backend::automatic, world), options);
}

/// Returns the weights; the same of all ranks, or the test fails.
std::string train(const Recipe& recipe, const Stage& stage) {
  fs::create_directories(stage.to);
  const auto results = run_ranks(std::max(1, stage.ranks), [&](const World& world) {
    auto task = std::make_shared<Regression>();
    Engine engine(recipe, task, 5, engine::Machine{}, strategy_of(stage, recipe, world));
    if (!stage.from.empty()) engine.load(stage.from.string());
    double loss = 0;
    for (auto epoch = stage.first; epoch <= stage.last; ++epoch) {
      loss = engine.train_epoch(epoch).loss;
    }
    engine.save(stage.to.string());
    return std::to_string(loss);
  });
  for (const RankResult& rank : results) {
    EXPECT_TRUE(rank.returned()) << rank.text;
    EXPECT_EQ(rank.text, results[0].text);
  }
  return support::file_text(stage.to / "model.pt");
}

class OptimizerShardsTest
    : public ::testing::TestWithParam<std::tuple<int, engine::OptimizerKind, double>> {
 protected:
  int ranks() const { return std::get<0>(GetParam()); }
  Recipe recipe() const { return recipe_of(std::get<1>(GetParam()), std::get<2>(GetParam())); }
  support::TemporaryDirectory folder_;
};

TEST_P(OptimizerShardsTest, TrainTheSameWeightsAsWholeOptimizersBitForBit) {
  const auto whole = train(recipe(), {ranks(), false, 1, 2, {}, folder_.path() / "whole"});
  const auto parts = train(recipe(), {ranks(), true, 1, 2, {}, folder_.path() / "parts"});
  const auto start = train(recipe(), {ranks(), true, 1, 0, {}, folder_.path() / "start"});
  EXPECT_TRUE(whole == parts);
  EXPECT_FALSE(start == parts) << "nothing was trained";
}

INSTANTIATE_TEST_SUITE_P(
    Optimizers, OptimizerShardsTest,
    ::testing::Combine(::testing::Values(1, 2, 3, 4),
                       ::testing::Values(engine::OptimizerKind::sgd, engine::OptimizerKind::adamw),
                       ::testing::Values(0, 0.05)),
    [](const auto& test) {
      return std::string(std::get<1>(test.param) == engine::OptimizerKind::sgd ? "sgd" : "adamw") +
             (std::get<2>(test.param) > 0 ? "_clipped_" : "_") +
             std::to_string(std::get<0>(test.param));
    });

/// Widths before and after a checkpoint; 0 ranks: a process of its own, without a gang.
struct Widths {
  int before, after;
  bool sharded_before = true, sharded_after = true;
};

class ShardedCheckpoint : public ::testing::TestWithParam<Widths> {};

TEST_P(ShardedCheckpoint, GoesOnAtAnotherWidthAsIfNothingHadBeenInShards) {
  const Widths w = GetParam();
  for (const auto kind : {engine::OptimizerKind::sgd, engine::OptimizerKind::adamw}) {
    const support::TemporaryDirectory folder;
    const Recipe recipe = recipe_of(kind, 0.5);
    const auto at = [&](const char* name) { return folder.path() / name; };
    train(recipe, {w.before, false, 1, 2, {}, at("whole")});
    train(recipe, {w.before, w.sharded_before, 1, 2, {}, at("parts")});
    const auto whole = train(recipe, {w.after, false, 3, 4, at("whole"), at("whole-end")});
    const auto parts =
        train(recipe, {w.after, w.sharded_after, 3, 4, at("parts"), at("parts-end")});
    const auto forgot = train(recipe, {w.after, w.sharded_after, 3, 4, {}, at("other")});
    EXPECT_TRUE(whole == parts);
    EXPECT_FALSE(forgot == parts);
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, ShardedCheckpoint,
                         ::testing::Values(Widths{2, 2}, Widths{1, 3}, Widths{2, 4}, Widths{4, 1},
                                           Widths{3, 2}, Widths{4, 0}, Widths{0, 3},
                                           Widths{3, 2, true, false}, Widths{2, 3, false, true}),
                         [](const auto& test) {
                           const Widths& w = test.param;
                           return std::to_string(w.before) + (w.sharded_before ? "_to_" : "w_to_") +
                                  std::to_string(w.after) + (w.sharded_after ? "" : "w");
                         });

TEST(ShardedCheckpoint, NamesTheFileOfARankThatIsMissingOrOfAnotherGang) {
  const support::TemporaryDirectory folder;
  const Recipe recipe = recipe_of(engine::OptimizerKind::adamw, 0);
  train(recipe, {3, true, 1, 1, {}, folder.path() / "3"});
  train(recipe, {2, true, 1, 1, {}, folder.path() / "2"});
  const auto load = [&] {
    const auto results = run_ranks(1, [&](const World&) -> std::string {
      Engine engine(recipe, std::make_shared<Regression>(), 5, engine::Machine{});
      engine.load((folder.path() / "3").string());
      return "loaded";
    });
    return results[0];
  };
  EXPECT_EQ(load().text, "loaded");
  const fs::path file = folder.path() / "3" / "optimizer-rank-1.pt";
  fs::copy_file(folder.path() / "2" / "optimizer-rank-1.pt", file,
                fs::copy_options::overwrite_existing);
  const RankResult foreign = load();
  EXPECT_EQ(foreign.failure_class, BETATUNE_CHECKPOINT);
  EXPECT_NE(foreign.text.find("optimizer-rank-1.pt is of a checkpoint of 2 rank(s)"),
            std::string::npos)
      << foreign.text;
  fs::remove(file);
  const RankResult missing = load();
  EXPECT_EQ(missing.failure_class, BETATUNE_CHECKPOINT);
  EXPECT_NE(missing.text.find("optimizer-rank-1.pt cannot be read"), std::string::npos)
      << missing.text;
}

// ---- memory
// --------------------------------------------------------------------------------------

std::size_t bytes_of(const at::Tensor& t) {
  return t.defined() ? t.nbytes() : 0;
}

/// Of libtorch's SGD and AdamW.
std::size_t state_bytes(const torch::optim::Optimizer& optimizer) {
  std::size_t bytes = 0;
  for (const auto& item : optimizer.state()) {
    if (const auto* sgd = dynamic_cast<torch::optim::SGDParamState*>(item.second.get())) {
      bytes += bytes_of(sgd->momentum_buffer());
    } else if (const auto* adam = dynamic_cast<torch::optim::AdamWParamState*>(item.second.get())) {
      bytes += bytes_of(adam->exp_avg()) + bytes_of(adam->exp_avg_sq());
    }
  }
  return bytes;
}

/// Bytes of each rank's state after some steps, and again after it was saved and loaded.
std::vector<std::size_t> state_of_ranks(int ranks, bool sharded) {
  const support::TemporaryDirectory folder;
  const auto results = run_ranks(ranks, [&](const World& world) {
    at::set_num_threads(1);
    DataParallelOptions options;
    options.shard_optimizer = sharded;
    DataParallel strategy(make_communicator(Backend::automatic, world), options);
    torch::nn::Sequential net;
    for (int i = 0; i < 12; ++i) net->push_back(torch::nn::Linear(40, 40));
    Replica replica;
    for (const auto& p : net->named_parameters()) {
      replica.parameters.emplace_back(p.key(), p.value());
    }
    strategy.attach(replica);
    torch::optim::AdamW optimizer(net->parameters(), torch::optim::AdamWOptions(0.01));
    for (int step = 0; step < 2; ++step) {
      strategy.backward(net->forward(torch::ones({2, 40})).square().mean(), 1.0 / ranks, true);
      strategy.step(optimizer);
    }
    const auto stepped = state_bytes(optimizer);
    const auto path = folder.path().string();
    save_optimizer(optimizer, path, world.rank, ranks);
    strategy.communicator().barrier();
    load_optimizer(optimizer, path, at::kCPU,
                   [&](const at::Tensor& p) { return strategy.owns(p); });
    return std::to_string(stepped) + ' ' + std::to_string(state_bytes(optimizer));
  });
  std::vector<std::size_t> bytes;
  for (const RankResult& rank : results) {
    EXPECT_TRUE(rank.returned()) << rank.text;
    const auto space = rank.text.find(' ');
    EXPECT_EQ(rank.text.substr(0, space), rank.text.substr(space + 1)) << "after loading";
    bytes.push_back(std::stoul(rank.text));
  }
  return bytes;
}

TEST(OptimizerShardsMemory, OfEachRankIsItsShareOfTheWhole) {
  // 12 layers of 40 x 40 weights and 40 biases, two floats of state for each.
  constexpr std::size_t kWhole = 12 * (40 * 40 + 40) * 2 * sizeof(float);
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    for (const std::size_t bytes : state_of_ranks(ranks, false)) EXPECT_EQ(bytes, kWhole);
    std::size_t sum = 0;
    // 12 equal weights and 12 equal biases can be dealt evenly over 2, 3 and 4.
    for (const std::size_t bytes : state_of_ranks(ranks, true)) {
      EXPECT_EQ(bytes, kWhole / static_cast<std::size_t>(ranks));
      sum += bytes;
    }
    EXPECT_EQ(sum, kWhole);
  }
}

// ---- what is sent
// --------------------------------------------------------------------------------

TEST(OptimizerShards, SendEveryParameterOfAnyTypeAndLayoutToAll) {
  const auto results = run_ranks(3, [](const World& world) -> std::string {
    at::set_num_threads(1);
    const auto c = make_communicator(Backend::automatic, world);
    const auto made = [](float number) {
      std::vector<std::pair<std::string, at::Tensor>> list;
      const auto add = [&](const at::Tensor& t) {
        list.emplace_back("p" + std::to_string(list.size()), t);
      };
      add(at::full({300, 100}, number));  // large
      add(at::full({64, 32, 5, 5}, number).contiguous(at::MemoryFormat::ChannelsLast));
      add(at::full({200, 200}, number).slice(1, 0, 150));  // large, with gaps
      add(at::full({4, 6}, number).t());
      add(at::full({4, 6}, number).slice(1, 0, 3));
      add(at::full({}, number));
      add(at::full({0}, number));
      add(at::full({5}, number, at::kDouble));
      add(at::full({7}, number).to(at::kHalf));
      return list;
    };
    const auto mine = made(static_cast<float>(world.rank + 1));
    OptimizerShards shards(*c, mine);
    shards.share_parameters();
    std::string owned;
    for (const auto& [name, t] : mine) {
      if (shards.owns(t)) owned += name + ' ';
      if (t.numel() == 0) continue;
      const float first = t.flatten()[0].item<float>();
      if (!t.eq(first).all().item<bool>()) return name + " is of several ranks";
      if (shards.owns(t) != (first == static_cast<float>(world.rank + 1))) {
        return name + " is not its owner's";
      }
    }
    return owned;
  });
  std::string all;
  for (const RankResult& rank : results) {
    ASSERT_TRUE(rank.returned()) << rank.text;
    ASSERT_EQ(rank.text.find(" is "), std::string::npos) << rank.text;
    all += rank.text;
  }
  for (int i = 0; i < 9; ++i) {
    const std::string name = "p" + std::to_string(i) + ' ';
    ASSERT_NE(all.find(name), std::string::npos) << all;
    EXPECT_EQ(all.find(name), all.rfind(name)) << "has two owners";
  }
}

}  // namespace
}  // namespace betatune::distributed::shards_tests
