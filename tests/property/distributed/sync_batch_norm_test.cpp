/// Batch normalisation over ranks must be that of one process with the whole batch.

#include "trainers/torch/distributed/sync_batch_norm.hpp"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <torch/torch.h>
#include <type_traits>
#include <utility>

#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/data_parallel.hpp"
#include "trainers/torch/engine/engine.hpp"
#include "trainers/torch/engine/task.hpp"

namespace betatune::distributed::batch_norm_tests {
namespace {

using support::RankOptions;
using support::RankResult;
using support::run_ranks;
using Norm = torch::nn::BatchNormOptions;
using Momentum = std::decay_t<decltype(std::declval<Norm>().momentum())>;  // an optional

constexpr std::int64_t kChannels = 5;
/// Numbers of order 1 in single precision, added up in another order.
constexpr double kTolerance = 1e-6;

void expect_ok(const std::vector<RankResult>& results) {
  for (std::size_t rank = 0; rank < results.size(); ++rank) {
    EXPECT_TRUE(results[rank].returned()) << "rank " << rank << ": " << results[rank].text;
    EXPECT_EQ(results[rank].text, "ok") << "rank " << rank;
  }
}

at::Tensor drawn(const std::vector<std::int64_t>& shape, std::uint64_t seed) {
  return torch::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
}

/// "" or how far `got` is from `want`.
std::string unequal(const char* what, const at::Tensor& got, const at::Tensor& want) {
  const auto difference = (got - want).abs();
  const double largest = got.numel() == 0 ? 0 : difference.max().item<double>();
  if (got.sizes() == want.sizes() && largest <= kTolerance) return "";
  return std::string(what) + " differs by " + std::to_string(largest) + "; ";
}

struct Case {
  std::vector<std::int64_t> shape;     ///< of a sample, without channels
  std::vector<std::int64_t> per_rank;  ///< samples
  Norm options{kChannels};
  double shift = 0;  ///< added to all samples
};

/// Outputs, gradients and running statistics of three passes, beside those of the plain layer.
std::string compare(const Case& c, Communicator& communicator) {
  at::set_num_threads(1);
  std::int64_t begin = 0, total = 0;
  for (std::size_t rank = 0; rank < c.per_rank.size(); ++rank) {
    if (static_cast<int>(rank) < communicator.rank()) begin += c.per_rank[rank];
    total += c.per_rank[rank];
  }
  const std::int64_t end = begin + c.per_rank[static_cast<std::size_t>(communicator.rank())];
  SyncBatchNorm norm(c.options);
  torch::nn::BatchNorm2d plain(c.options);
  norm->join(&communicator);
  if (c.options.affine()) {
    const at::NoGradGuard no_gradients;
    for (const auto& layer : {norm->parameters(), plain->parameters()}) {
      layer[0].copy_(drawn({kChannels}, 1));
      layer[1].copy_(drawn({kChannels}, 2));
    }
  }
  std::vector<std::int64_t> shape{total, kChannels};
  shape.insert(shape.end(), c.shape.begin(), c.shape.end());
  std::string problems;
  for (std::uint64_t pass = 0; pass < 3; ++pass) {
    auto whole = drawn(shape, 10 + pass).mul(2).add(c.shift).requires_grad_();
    auto mine = whole.detach().slice(0, begin, end).clone().requires_grad_();
    const auto weights = drawn(shape, 20 + pass);
    // The plain layer of libtorch takes two or four dimensions.
    const auto four = whole.dim() == 2 ? whole.unsqueeze(2).unsqueeze(3) : whole;
    const auto want = plain(four).view(shape), got = norm(mine);
    (want * weights).sum().backward();
    (got * weights.slice(0, begin, end)).sum().backward();
    problems += unequal("output", got, want.slice(0, begin, end));
    problems += unequal("gradient of the samples", mine.grad(), whole.grad().slice(0, begin, end));
  }
  const auto got = norm->named_parameters(), want = plain->named_parameters();
  for (const auto& parameter : want) {
    // Of order 30, the sum over a batch: compared relative to that.
    auto gradient = got[parameter.key()].grad().clone();
    communicator.all_reduce(gradient);
    problems += unequal(("gradient of " + parameter.key()).c_str(), gradient / 32,
                        parameter.value().grad() / 32);
  }
  for (const auto& buffer : plain->named_buffers()) {
    problems += unequal(buffer.key().c_str(), norm->named_buffers()[buffer.key()], buffer.value());
  }
  norm->eval();
  plain->eval();
  if (c.options.track_running_stats()) {
    const auto x = drawn({3, kChannels, 2, 2}, 30);
    problems += unequal("evaluation", norm(x), plain(x));
  }
  return problems.empty() ? "ok" : problems;
}

void expect_equal_to_the_whole_batch(const Case& c) {
  for (const Backend backend : {Backend::shared_memory, Backend::gloo}) {
    if (!has_backend(backend)) continue;
    SCOPED_TRACE(name_of(backend));
    expect_ok(run_ranks(static_cast<int>(c.per_rank.size()), [&](const World& world) {
      const auto communicator = make_communicator(backend, world);
      std::string text = compare(c, *communicator);
      communicator->barrier();
      return text;
    }));
  }
}

TEST(SyncBatchNorm, EqualsOneProcessWithEvenBatches) {
  expect_equal_to_the_whole_batch({{4, 3}, {6, 6}});
  expect_equal_to_the_whole_batch({{}, {8, 8, 8}});
}

TEST(SyncBatchNorm, EqualsOneProcessWithUnevenBatches) {
  expect_equal_to_the_whole_batch({{4, 3}, {5, 1}});
  expect_equal_to_the_whole_batch({{}, {1, 7, 3}});
  expect_equal_to_the_whole_batch({{3, 3}, {2, 9, 1, 4}});
}

TEST(SyncBatchNorm, EqualsOneProcessWhereARankHasNoSample) {
  expect_equal_to_the_whole_batch({{2, 2}, {4, 0, 3}});
}

TEST(SyncBatchNorm, EqualsOneProcessWithEachOption) {
  expect_equal_to_the_whole_batch({{2, 2}, {4, 3}, Norm(kChannels).affine(false)});
  expect_equal_to_the_whole_batch({{2, 2}, {4, 3}, Norm(kChannels).track_running_stats(false)});
  expect_equal_to_the_whole_batch({{2, 2}, {4, 3}, Norm(kChannels).momentum(Momentum{})});
  expect_equal_to_the_whole_batch({{2, 2}, {4, 3}, Norm(kChannels).momentum(0.3).eps(0.01)});
}

/// Sums of squares would have lost all digits of the variance: 1e4 squared is 1e8, and a float has
/// seven digits.
TEST(SyncBatchNorm, KeepsTheVarianceOfNumbersFarFromZero) {
  expect_ok(run_ranks(3, [](const World& world) -> std::string {
    at::set_num_threads(1);
    const auto c = make_communicator(Backend::automatic, world);
    SyncBatchNorm norm(Norm(1).affine(false));
    norm->join(c.get());
    // 10,000 and 10,002 on every rank: mean 10,001, deviation 1.
    const auto y = norm(torch::tensor({10'000.0f, 10'002.0f}).view({2, 1}));
    c->barrier();
    const auto error = (y.view({-1}) - torch::tensor({-1.0f, 1.0f})).abs().max().item<double>();
    return error < 1e-4 ? "ok" : "off by " + std::to_string(error);  // eps is 1e-5 of variance 1
  }));
}

TEST(SyncBatchNorm, LeavesOutARankThatOnlyKeepsInStep) {
  expect_ok(run_ranks(2, [](const World& world) -> std::string {
    at::set_num_threads(1);
    const auto c = make_communicator(Backend::automatic, world);
    torch::nn::Sequential net(SyncBatchNorm{Norm(3)});
    join_batch_norms(*net, c.get());
    count_in_batch_norms(*net, world.rank == 0);
    const auto batch = drawn({6, 3}, 1);
    net->forward(world.rank == 0 ? batch : torch::full({1, 3}, 1e6f));
    count_in_batch_norms(*net, true);
    torch::nn::BatchNorm1d plain(3);
    plain(batch);
    c->barrier();
    const auto problem =
        unequal("mean", net->named_buffers()["0.running_mean"], plain->running_mean) +
        unequal("variance", net->named_buffers()["0.running_var"], plain->running_var);
    return problem.empty() ? "ok" : problem;
  }));
}

TEST(SyncBatchNorm, RefusesABatchWithoutAVariance) {
  const auto results = run_ranks(2, [](const World& world) -> std::string {
    const auto c = make_communicator(Backend::automatic, world);
    SyncBatchNorm norm(Norm(3));
    norm->join(c.get());
    (void)norm(torch::ones({world.rank, 3}));
    return "normalised";
  });
  for (const auto& rank : results) {
    EXPECT_EQ(rank.failure_class, BETATUNE_ERROR);
    EXPECT_NE(rank.text.find("all ranks together have 1"), std::string::npos) << rank.text;
  }
}

// ---- in a training
// -------------------------------------------------------------------------------

template <class Layer>
torch::nn::Sequential network() {
  torch::manual_seed(4);
  return torch::nn::Sequential(
      torch::nn::Conv2d(torch::nn::Conv2dOptions(2, kChannels, 3).bias(false)),
      Layer(Norm(kChannels)), torch::nn::ReLU(), torch::nn::Flatten(),
      torch::nn::Linear(kChannels * 9, 8), torch::nn::Tanh(), torch::nn::Linear(8, 1));
}

/// Parameters and buffers after some steps on batches that do not split evenly.
template <class Layer>
std::string trained(DataParallel& strategy) {
  at::set_num_threads(1);
  auto net = network<Layer>();
  Replica replica;
  for (const auto& p : net->named_parameters()) replica.parameters.emplace_back(p.key(), p.value());
  for (const auto& b : net->named_buffers()) replica.buffers.emplace_back(b.key(), b.value());
  strategy.attach(replica);
  join_batch_norms(*net, strategy.layers_communicator());
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.05).momentum(0.9));
  for (std::uint64_t step = 0; step < 6; ++step) {
    const std::int64_t batch = step % 2 == 0 ? 11 : 7;
    const Slice own = slice_of(batch, strategy.rank(), strategy.size());
    const auto x = drawn({batch, 2, 5, 5}, step), y = x.mean({1, 2, 3}).unsqueeze(1);
    const auto out = net->forward(x.slice(0, own.begin, own.end));
    const auto loss = (out - y.slice(0, own.begin, own.end)).square().mean();
    strategy.backward(loss, static_cast<double>(own.count()) / static_cast<double>(batch), true);
    strategy.step(optimizer);
  }
  strategy.finish_epoch();
  std::string bytes;
  for (const auto* list : {&replica.parameters, &replica.buffers}) {
    for (const auto& [name, t] : *list) {
      const auto c = t.detach().to(at::kFloat).contiguous();
      bytes.append(static_cast<const char*>(c.data_ptr()), c.nbytes());
    }
  }
  return bytes;
}

double largest_difference(const std::string& a, const std::string& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); i += sizeof(float)) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    largest = std::max(largest, std::abs(static_cast<double>(x) - static_cast<double>(y)));
  }
  return largest;
}

TEST(SyncBatchNorm, TrainsInAGangWhatOneProcessTrainsWithTheWholeBatch) {
  const auto alone = run_ranks(1, [](const World& world) {
    DataParallel strategy(make_communicator(Backend::automatic, world), {});
    return trained<torch::nn::BatchNorm2d>(strategy);
  });
  ASSERT_TRUE(alone[0].returned()) << alone[0].text;
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    const auto run = [&]<class Layer>(Layer*, bool shards) {
      return run_ranks(ranks, [&](const World& world) {
        DataParallelOptions options;
        options.buckets = {1, 1};  // every gradient on its way beside the layer's own messages
        options.shard_optimizer = shards;
        DataParallel strategy(make_communicator(Backend::automatic, world), options);
        return trained<Layer>(strategy);
      });
    };
    const auto gang = run(static_cast<SyncBatchNorm*>(nullptr), true);
    for (const auto& rank : gang) {
      ASSERT_TRUE(rank.returned()) << rank.text;
      EXPECT_TRUE(rank.text == gang[0].text) << "ranks differ";
    }
    EXPECT_LE(largest_difference(gang[0].text, alone[0].text), kTolerance);
    const auto apart = run(static_cast<torch::nn::BatchNorm2d*>(nullptr), false);
    EXPECT_GT(largest_difference(apart[0].text, alone[0].text), 100 * kTolerance)
        << "this test would not notice a layer that does not look at other ranks";
  }
}

/// 26 samples in batches of 8: the last has two, so that of more ranks some have none.
class Regression final : public engine::Task {
 public:
  std::shared_ptr<torch::nn::Module> make_model() override {
    network_ = network<SyncBatchNorm>();
    return network_.ptr();
  }
  void move_to(const at::Device&) override {}
  bool classifies() const override { return false; }
  std::int64_t count(engine::Part) const override { return 26; }
  at::Tensor loss(const at::Tensor& samples) override {
    const auto x = x_.index_select(0, samples);
    return (network_->forward(x) - x.mean({1, 2, 3}).unsqueeze(1)).square().mean();
  }
  engine::Judgement judge(engine::Part, std::int64_t begin, std::int64_t end) override {
    return {network_->forward(x_.slice(0, begin, end)).square().sum(), {}, {}};
  }
  std::string numbers() const {
    std::string bytes;
    for (const auto& list : {network_->parameters(), network_->buffers()}) {
      for (const auto& t : list) {
        const auto c = t.detach().to(at::kFloat).contiguous();
        bytes.append(static_cast<const char*>(c.data_ptr()), c.nbytes());
      }
    }
    return bytes;
  }

 private:
  torch::nn::Sequential network_{nullptr};
  at::Tensor x_ = drawn({26, 2, 5, 5}, 9);
};

TEST(SyncBatchNorm, IsJoinedByTheEngineAndCountsNoSampleThatWeighsNothing) {
  engine::Recipe recipe;
  recipe.optimizer.kind = engine::OptimizerKind::sgd;
  recipe.optimizer.lr = 0.05;
  recipe.batch_size = 8;
  recipe.epochs = 2;
  const auto run = [&](int ranks) {
    return run_ranks(ranks, [&](const World& world) {
      std::shared_ptr<Strategy> strategy;
      if (world.size > 1) {
        strategy = std::make_shared<DataParallel>(make_communicator(Backend::automatic, world),
                                                  DataParallelOptions{});
      }
      const auto task = std::make_shared<Regression>();
      engine::Engine engine(recipe, task, 3, engine::Machine{}, strategy);
      for (int epoch = 1; epoch <= 2; ++epoch) {
        engine.train_epoch(epoch);
        (void)engine.score(engine::Part::validation);
      }
      return task->numbers();
    });
  };
  const auto alone = run(1);
  ASSERT_TRUE(alone[0].returned()) << alone[0].text;
  for (const int ranks : {2, 3, 4}) {
    SCOPED_TRACE(ranks);
    const auto gang = run(ranks);
    for (const auto& rank : gang) {
      ASSERT_TRUE(rank.returned()) << rank.text;
      EXPECT_TRUE(rank.text == gang[0].text) << "ranks differ";
    }
    EXPECT_LE(largest_difference(gang[0].text, alone[0].text), kTolerance);
  }
}

}  // namespace
}  // namespace betatune::distributed::batch_norm_tests
