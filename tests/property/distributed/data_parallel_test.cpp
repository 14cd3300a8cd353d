/// Data-parallel training must be what one process would have done with the whole batch.

#include "trainers/torch/distributed/data_parallel.hpp"

#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "tests/support/file_text.hpp"
#include "tests/support/ranks.hpp"

namespace betatune::distributed {
namespace {

using support::RankResult;
using support::run_ranks;

/// Two hidden layers, some parameters of which a batch may not use.
struct NetImpl : torch::nn::Module {
  NetImpl(std::int64_t inputs, std::int64_t hidden, std::int64_t outputs)
      : first(register_module("first", torch::nn::Linear(inputs, hidden))),
        second(register_module("second", torch::nn::Linear(hidden, hidden))),
        extra(register_module("extra", torch::nn::Linear(hidden, hidden))),
        last(register_module("last", torch::nn::Linear(hidden, outputs))) {
    mean = register_buffer("mean", torch::zeros({hidden}));
  }
  torch::Tensor forward(const torch::Tensor& x, bool use_extra) {
    auto h = torch::tanh(first(x));
    h = torch::tanh(second(h));
    if (use_extra) h = h + torch::tanh(extra(h));
    if (is_training()) {
      const torch::NoGradGuard no_gradients;
      mean.mul_(0.9).add_(h.mean(0), 0.1);
    }
    return last(h);
  }
  torch::nn::Linear first, second, extra, last;
  torch::Tensor mean;
};
TORCH_MODULE(Net);

/// A training as a test describes it; the same on every rank.
struct Plan {
  std::int64_t inputs = 7, hidden = 33, outputs = 3, batch = 24, steps = 8;
  int micro_batches = 1;
  std::uint64_t seed = 1;
  double lr = 0.1;
  bool momentum = true;
  Backend backend = Backend::shared_memory;
  DataParallelOptions options;
  /// Whether `extra` is used by the rank in the step.
  std::function<bool(std::int64_t step, int rank, int size)> extra = [](auto, int, int) {
    return true;
  };
};

Replica replica_of(torch::nn::Module& module) {
  Replica replica;
  for (const auto& item : module.named_parameters()) {
    replica.parameters.emplace_back(item.key(), item.value());
  }
  for (const auto& item : module.named_buffers()) {
    replica.buffers.emplace_back(item.key(), item.value());
  }
  return replica;
}

std::string bytes_of_all(const Replica& replica) {
  std::string bytes;
  for (const auto* list : {&replica.parameters, &replica.buffers}) {
    for (const auto& [name, t] : *list) {
      const auto c = t.detach().contiguous();
      bytes.append(static_cast<const char*>(c.data_ptr()), c.nbytes());
    }
  }
  return bytes;
}

struct Trained {
  Net net{nullptr};
  double loss = 0;  ///< of the last step, over all ranks
  double norm = 0;  ///< of the last step's gradient
};

Trained train(const Plan& plan, DataParallel& strategy) {
  at::set_num_threads(1);
  // Ranks start from weights of their own; attach() must make them equal.
  torch::manual_seed(plan.seed + 100 * static_cast<std::uint64_t>(strategy.rank()));
  Trained trained{Net(plan.inputs, plan.hidden, plan.outputs)};
  strategy.attach(replica_of(*trained.net));
  torch::optim::SGD optimizer(
      trained.net->parameters(),
      torch::optim::SGDOptions(plan.lr).momentum(plan.momentum ? 0.9 : 0).weight_decay(1e-3));
  auto generator = at::make_generator<at::CPUGeneratorImpl>(plan.seed);
  const auto truth = torch::randn({plan.inputs, plan.outputs}, generator);
  for (std::int64_t step = 0; step < plan.steps; ++step) {
    const bool uneven = step + 1 == plan.steps && plan.batch > strategy.size();
    const std::int64_t batch = uneven ? plan.batch - 1 : plan.batch;
    const auto x = torch::randn({batch, plan.inputs}, generator), y = torch::tanh(x.matmul(truth));
    const Slice own = slice_of(batch, strategy.rank(), strategy.size());
    const int parts = static_cast<int>(std::min<std::int64_t>(plan.micro_batches, own.count()));
    trained.loss = 0;
    for (int i = 0; i < parts; ++i) {
      const Slice part = slice_of(own.count(), i, parts);
      strategy.before_forward();
      const auto out =
          trained.net->forward(x.slice(0, own.begin + part.begin, own.begin + part.end),
                               plan.extra(step, strategy.rank(), strategy.size()));
      const auto loss = torch::nn::functional::mse_loss(
          out, y.slice(0, own.begin + part.begin, own.begin + part.end));
      const double share = static_cast<double>(part.count()) / static_cast<double>(batch);
      strategy.backward(loss, share, i + 1 == parts);
      trained.loss += share * loss.item<double>();
    }
    trained.norm = strategy.step(optimizer).gradient_norm;
    for (const auto& p : trained.net->parameters()) TORCH_CHECK(!p.grad().defined());
  }
  strategy.finish_epoch();
  std::vector<double> sums{trained.loss};
  strategy.sum(sums);
  trained.loss = sums[0];
  return trained;
}

std::vector<RankResult> train_on(int size, const Plan& plan) {
  return run_ranks(size, [&](const World& world) {
    DataParallel strategy(make_communicator(size == 1 ? Backend::automatic : plan.backend, world),
                          plan.options);
    Trained trained = train(plan, strategy);
    return bytes_of_all(replica_of(*trained.net));
  });
}

double largest_difference(const std::string& a, const std::string& b, std::size_t floats) {
  if (a.size() != b.size()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < floats; ++i) {
    float x = 0, y = 0;
    std::memcpy(&x, a.data() + 4 * i, 4);
    std::memcpy(&y, b.data() + 4 * i, 4);
    largest = std::max(largest, std::abs(static_cast<double>(x) - static_cast<double>(y)));
  }
  return largest;
}

std::size_t parameter_count(const Plan& p) {
  return static_cast<std::size_t>((p.inputs + 1) * p.hidden + 2 * (p.hidden + 1) * p.hidden +
                                  (p.hidden + 1) * p.outputs);
}

/// Weights are of order 1, and floats: some ulps in some steps.
constexpr double kTolerance = 1e-6;

void expect_equal_to_one_process(int size, const Plan& plan, const Plan& alone) {
  const auto one = train_on(1, alone), many = train_on(size, plan);
  ASSERT_TRUE(one[0].returned()) << one[0].text;
  for (const auto& rank : many) {
    ASSERT_TRUE(rank.returned()) << rank.text;
    EXPECT_TRUE(rank.text == many[0].text) << "ranks differ";
  }
  EXPECT_LE(largest_difference(many[0].text, one[0].text, parameter_count(plan)), kTolerance);
}
void expect_equal_to_one_process(int size, const Plan& plan) {
  expect_equal_to_one_process(size, plan, plan);
}

class DataParallelTest : public ::testing::TestWithParam<std::tuple<Backend, int>> {
 protected:
  void SetUp() override {
    if (!has_backend(std::get<0>(GetParam()))) GTEST_SKIP() << "not in this build";
    plan_.backend = std::get<0>(GetParam());
  }
  int size() const { return std::get<1>(GetParam()); }
  Plan plan_;
};

TEST_P(DataParallelTest, EqualsOneProcessWithTheWholeBatch) {
  expect_equal_to_one_process(size(), plan_);
}

TEST_P(DataParallelTest, EqualsOneProcessWhenSmallBatchesSplitUnevenly) {
  plan_.batch = size() + 1;
  expect_equal_to_one_process(size(), plan_);
}

TEST_P(DataParallelTest, EqualsOneProcessWhenGradientsAreAccumulated) {
  Plan alone = plan_;
  plan_.micro_batches = 3;
  expect_equal_to_one_process(size(), plan_, alone);
}

TEST_P(DataParallelTest, EqualsOneProcessWhenNobodyUsesAParameter) {
  plan_.extra = [](std::int64_t step, int, int) { return step % 2 == 0; };
  expect_equal_to_one_process(size(), plan_);
}

TEST_P(DataParallelTest, EqualsOneProcessWithTheGradientClipped) {
  plan_.options.max_gradient_norm = 0.05;
  expect_equal_to_one_process(size(), plan_);
}

TEST_P(DataParallelTest, CountsAParameterThatOneRankDoesNotUseAsZeroThere) {
  plan_.extra = [](std::int64_t step, int rank, int ranks) {
    return ranks == 1 || rank == static_cast<int>(step) % ranks;
  };
  const auto results = train_on(size(), plan_);
  const auto all_use_it = [&] {
    Plan plan = plan_;
    plan.extra = [](auto, int, int) { return true; };
    return train_on(size(), plan);
  }();
  for (const auto& rank : results) {
    ASSERT_TRUE(rank.returned()) << rank.text;
    EXPECT_TRUE(rank.text == results[0].text);
  }
  EXPECT_EQ(results[0].text == all_use_it[0].text, size() == 1);
}

INSTANTIATE_TEST_SUITE_P(Backends, DataParallelTest,
                         ::testing::Combine(::testing::Values(Backend::shared_memory,
                                                              Backend::gloo),
                                            ::testing::Values(1, 2, 3, 4)),
                         [](const auto& test) {
                           return name_of(std::get<0>(test.param)) + "_" +
                                  std::to_string(std::get<1>(test.param));
                         });

TEST(DataParallel, EqualsOneProcessForRandomShapesAndBuckets) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    torch::manual_seed(seed);
    const auto draw = [](std::int64_t low, std::int64_t high) {
      return torch::randint(low, high, {1}).item<std::int64_t>();
    };
    Plan plan;
    plan.seed = seed;
    plan.inputs = draw(1, 20);
    plan.hidden = draw(1, 70);
    plan.outputs = draw(1, 9);
    plan.batch = draw(5, 40);
    plan.steps = 4;
    plan.micro_batches = static_cast<int>(draw(1, 4));
    plan.options.buckets = {static_cast<std::size_t>(draw(1, 5000)),
                            static_cast<std::size_t>(draw(1, 20000))};
    plan.options.max_gradient_norm = seed % 2 == 0 ? 0.1 : 0;
    SCOPED_TRACE(seed);
    expect_equal_to_one_process(static_cast<int>(2 + seed % 3), plan);
  }
}

TEST(DataParallel, RebuildsItsBucketsInTheOrderOfTheGradientsWithUnusedOnesLast) {
  const auto results = run_ranks(2, [](const World& world) {
    Plan plan;
    plan.steps = 2;
    plan.options.buckets = {1, 1};
    plan.extra = [](auto, int, int) { return false; };
    DataParallel strategy(make_communicator(Backend::automatic, world), plan.options);
    train(plan, strategy);
    std::string order;
    for (const auto& bucket : strategy.buckets()) {
      for (const auto i : bucket) order += std::to_string(i) + ' ';
    }
    return order;
  });
  // Parameters: first 0 1, second 2 3, extra 4 5 (unused), last 6 7; weight and bias of a layer get
  // ready in either order.
  for (const auto& rank : results) {
    ASSERT_EQ(rank.text.size(), 16u) << rank.text;
    EXPECT_EQ(rank.text.substr(12), "5 4 ");
    EXPECT_EQ(rank.text, results[0].text);
  }
}

TEST(DataParallel, NamesTheRankAndParameterOfAGradientThatIsNotFinite) {
  const auto results = run_ranks(3, [](const World& world) -> std::string {
    Plan plan;
    DataParallel strategy(make_communicator(Backend::automatic, world), plan.options);
    Net net(plan.inputs, plan.hidden, plan.outputs);
    strategy.attach(replica_of(*net));
    torch::optim::SGD optimizer(net->parameters(), 0.1);
    auto loss = net->forward(torch::ones({4, plan.inputs}), true).sum();
    if (world.rank == 1) loss = loss + (net->second->bias * NAN).sum();
    strategy.backward(loss, 1.0 / 3, true);
    strategy.step(optimizer);
    return "stepped";
  });
  for (const auto& rank : results) {
    EXPECT_EQ(rank.failure_class, BETATUNE_DIVERGED);
    EXPECT_EQ(rank.text, "the gradient is not finite (rank 1: parameter `second.bias`)");
  }
}

TEST(DataParallel, NamesTheParameterWhoseShapeDiffers) {
  const auto results = run_ranks(3, [](const World& world) -> std::string {
    DataParallel strategy(make_communicator(Backend::automatic, world), {});
    Net net(7, 5, world.rank == 2 ? 4 : 3);
    strategy.attach(replica_of(*net));
    return "attached";
  });
  for (const auto& rank : results) {
    EXPECT_EQ(rank.failure_class, BETATUNE_ERROR);
    EXPECT_EQ(rank.text,
              "the ranks differ: parameter 7 on rank 2 is `last.weight Float [4, 5]`, on rank 0 "
              "`last.weight Float [3, 5]`");
  }
}

TEST(DataParallel, RefusesSharesThatDoNotAddUpToOne) {
  const auto results = run_ranks(2, [](const World& world) -> std::string {
    DataParallel strategy(make_communicator(Backend::automatic, world), {});
    Net net(7, 5, 3);
    strategy.attach(replica_of(*net));
    torch::optim::SGD optimizer(net->parameters(), 0.1);
    strategy.backward(net->forward(torch::ones({4, 7}), true).sum(), 1, true);
    strategy.step(optimizer);
    return "stepped";
  });
  EXPECT_NE(results[0].text.find("add up to 2"), std::string::npos) << results[0].text;
}

// ---- compression
// ---------------------------------------------------------------------------------

double last_loss(const Plan& plan, int size) {
  const auto results = run_ranks(size, [&](const World& world) {
    DataParallel strategy(make_communicator(size == 1 ? Backend::automatic : plan.backend, world),
                          plan.options);
    Trained trained = train(plan, strategy);
    const auto bytes = bytes_of_all(replica_of(*trained.net));
    return std::to_string(trained.loss) + ' ' + std::to_string(std::hash<std::string>{}(bytes));
  });
  for (const auto& rank : results) {
    EXPECT_TRUE(rank.returned()) << rank.text;
    EXPECT_EQ(rank.text, results[0].text) << "ranks differ";
  }
  return results[0].returned() ? std::stod(results[0].text) : INFINITY;
}

Plan long_plan() {
  Plan plan;
  plan.inputs = 8;
  plan.hidden = 48;
  plan.batch = 64;
  plan.steps = 150;
  plan.lr = 0.02;
  return plan;
}

class CompressionTest : public ::testing::TestWithParam<const char*> {};

TEST_P(CompressionTest, ConvergesLikeTheUncompressedTraining) {
  Plan plan = long_plan();
  const double plain = last_loss(plan, 2);
  plan.options.compression.kind = compression_named(GetParam());
  plan.options.compression.rank = 2;
  plan.options.compression.start = 3;
  const double compressed = last_loss(plan, 2);
  Plan untrained = plan;
  untrained.steps = 1;
  // Seen: within 10 % of each other; the training brings the loss down to a twentieth.
  EXPECT_LT(plain, 0.3 * last_loss(untrained, 2));
  EXPECT_LT(compressed, 1.5 * plain);
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompressionTest, ::testing::Values("fp16", "bf16", "powersgd"));

TEST(PowerSgd, IsExactForGradientsOfItsRank) {
  // One sample per rank makes gradients of linear layers of rank 1; of two ranks, 2.
  Plan plan;
  plan.batch = 3;
  plan.steps = 3;
  Plan alone = plan;
  plan.options.compression = {CompressionKind::powersgd, 4, 0};
  expect_equal_to_one_process(2, plan, alone);
}

TEST(PowerSgd, WithoutFeedingErrorsBackWouldNotGetThere) {
  // What one step loses the next ones send: summed over steps, a constant gradient gets through.
  const auto results = run_ranks(2, [](const World& world) -> std::string {
    const auto c = make_communicator(Backend::automatic, world);
    const auto compressor = make_compressor(*c, {CompressionKind::powersgd, 1, 0});
    at::set_num_threads(1);
    torch::manual_seed(3);
    const auto gradient = torch::randn({12, 10});
    auto sum = torch::zeros({12, 10});
    const int steps = 200;
    for (int step = 0; step < steps; ++step) {
      CompressionBucket bucket;
      bucket.flat = torch::zeros({121});
      bucket.tail = bucket.flat.narrow(0, 120, 1);
      const auto view = bucket.flat.narrow(0, 0, 120).view({12, 10});
      view.copy_(gradient * 0.5);
      bucket.gradients.emplace_back("w", view);
      const auto work = compressor->start(bucket, step);
      compressor->finish(bucket, *work, step);
      sum += view;
    }
    const double error = (sum / steps - gradient).norm().item<double>();
    return std::to_string(error / gradient.norm().item<double>());
  });
  // A projection to rank 1 alone would lose most of a random matrix, in every step.
  for (const auto& rank : results) {
    ASSERT_TRUE(rank.returned()) << rank.text;
    EXPECT_LT(std::stod(rank.text), 0.1);
  }
}

TEST(PowerSgd, GoesOnFromACheckpointAsIfItHadNotStopped) {
  const support::TemporaryDirectory folder;
  const auto results = run_ranks(2, [&](const World& world) -> std::string {
    Plan plan;
    plan.options.compression = {CompressionKind::powersgd, 1, 0};
    plan.momentum = false;
    plan.steps = 1;
    World other = world;
    other.rendezvous += "-2";
    DataParallel whole(make_communicator(Backend::automatic, world), plan.options);
    DataParallel resumed(make_communicator(Backend::automatic, other), plan.options);
    at::set_num_threads(1);
    torch::manual_seed(1);
    Net net(7, 33, 3), again(7, 33, 3);
    whole.attach(replica_of(*net));
    const auto step = [&](DataParallel& strategy, Net& model, std::uint64_t seed) {
      torch::optim::SGD optimizer(model->parameters(), 0.1);
      auto generator =
          at::make_generator<at::CPUGeneratorImpl>(seed + static_cast<unsigned>(world.rank));
      strategy.backward(model->forward(torch::randn({8, 7}, generator), true).square().mean(), 0.5,
                        true);
      strategy.step(optimizer);
    };
    for (std::uint64_t i = 0; i < 3; ++i) step(whole, net, 10 * i);
    whole.save(folder.path().string());
    whole.communicator().barrier();
    {
      const torch::NoGradGuard no_gradients;
      const auto from = net->parameters(), to = again->parameters();
      for (std::size_t i = 0; i < from.size(); ++i) to[i].copy_(from[i]);
    }
    resumed.attach(replica_of(*again));
    resumed.load(folder.path().string());
    for (std::uint64_t i = 3; i < 6; ++i) step(whole, net, 10 * i);
    for (std::uint64_t i = 3; i < 6; ++i) step(resumed, again, 10 * i);
    const auto a = net->parameters(), b = again->parameters();
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!a[i].equal(b[i])) return "parameter " + std::to_string(i) + " differs";
    }
    return "equal";
  });
  for (const auto& rank : results) EXPECT_EQ(rank.text, "equal");
}

// ---- timeline
// ------------------------------------------------------------------------------------

TEST(DataParallelTimeline, ShowsBucketsLeavingDuringTheBackwardPassOfEachRank) {
  const support::TemporaryDirectory folder;
  const std::string path = (folder.path() / "trace.json").string();
  Plan plan;
  plan.hidden = 600;
  plan.batch = 256;
  plan.steps = 6;
  plan.options.buckets = {1, 1};
  plan.options.timeline_path = path;
  for (const auto& rank : train_on(2, plan)) ASSERT_TRUE(rank.returned()) << rank.text;
  struct Event {
    std::string name;
    double begin, end;
  };
  std::map<int, std::map<int, std::vector<Event>>> events;  // by rank and track
  const auto trace = nlohmann::json::parse(support::file_text(path));
  for (const auto& e : trace.at("traceEvents")) {
    if (e.at("ph") != "X") continue;
    const double begin = e.at("ts");
    events[e.at("pid")][e.at("tid")].push_back(
        {e.at("name"), begin, begin + e.at("dur").get<double>()});
  }
  ASSERT_EQ(events.size(), 2u);
  for (auto& [rank, tracks] : events) {
    ASSERT_EQ(tracks.size(), 2u);
    int overlapping = 0;
    for (auto& [track, list] : tracks) {
      std::sort(list.begin(), list.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
      for (std::size_t i = 1; i < list.size(); ++i) {
        EXPECT_GE(list[i].begin, list[i - 1].end - 0.5) << list[i].name;  // none in another
      }
    }
    EXPECT_EQ(tracks[1].size(), 6u * 3);  // backward, wait for gradients, optimizer
    EXPECT_EQ(tracks[2].size(), 6u * 8);  // a bucket per parameter
    for (const auto& pass : tracks[1]) {
      if (pass.name != "backward") continue;
      for (const auto& bucket : tracks[2]) {
        overlapping += bucket.begin > pass.begin && bucket.begin < pass.end ? 1 : 0;
      }
    }
    // All but the last few of a step can leave before its pass ends; how many do is up to the
    // machine, but never none of six steps.
    EXPECT_GT(overlapping, 0) << "rank " << rank;
  }
}

}  // namespace
}  // namespace betatune::distributed
