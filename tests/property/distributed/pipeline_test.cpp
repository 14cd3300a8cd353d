/// A model cut into stages must train as in one process.

#include "trainers/torch/distributed/model_parallel/pipeline.hpp"

#include <cmath>
#include <csignal>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/file_text.hpp"
#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/model_parallel/layers.hpp"

namespace betatune::distributed {
namespace pipeline_property {
namespace {

using support::RankOptions;
using support::RankResult;
using support::run_ranks;

/// Weights are of order 1, and floats: some ulps in some steps. Doubles show that it is rounding.
constexpr double kFloat = 1e-6, kDouble = 1e-12;
constexpr int kBlocks = 4;

/// A training as a test describes it; the same on every rank.
struct Training {
  Grid grid;
  int micro_batches = 4;
  std::int64_t batch = 24;  ///< of all pipelines
  int steps = 1;
  double clip = 0;
  bool adam = false;
  at::ScalarType type = at::kFloat;
  std::uint64_t seed = 1;
  /// Called before each forward pass of a micro-batch, of a rank.
  std::function<void(const Place&, int call)> before_forward = [](auto&, int) {};
};

/// Four blocks of different widths; with tensor parallelism two-layer ones of one width.
struct Block {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(const at::Tensor&)> forward;
};

std::vector<std::int64_t> widths(std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<std::int64_t> all;
  for (int i = 0; i <= kBlocks; ++i) {
    all.push_back(torch::randint(1, 24, {1}, generator).item<std::int64_t>());
  }
  return all;
}

/// All blocks, made alike on all ranks.
std::vector<Block> make_blocks(const Training& t, Communicator* together) {
  torch::manual_seed(t.seed);
  const auto width = widths(t.seed);
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < kBlocks; ++i) {
    if (together != nullptr) {
      auto block = std::make_shared<ParallelMlp>(*together, 6, 8);
      blocks.push_back({block, [block](const at::Tensor& x) { return x + block->forward(x); }});
      continue;
    }
    torch::nn::Linear linear(width[i], width[i + 1]);
    blocks.push_back(
        {linear.ptr(), [linear](const at::Tensor& x) mutable { return torch::tanh(linear(x)); }});
  }
  for (auto& block : blocks) block.module->to(t.type);
  return blocks;
}

struct Data {
  at::Tensor x, y;
};
Data make_data(const Training& t, int step, bool tensor) {
  auto generator =
      at::make_generator<at::CPUGeneratorImpl>(1000 * t.seed + static_cast<unsigned>(step));
  const auto width = widths(t.seed);
  const std::int64_t in = tensor ? 6 : width[0], out = tensor ? 6 : width[kBlocks];
  auto x = torch::randn({t.batch, in}, generator), y = torch::rand({t.batch, out}, generator);
  return {x.to(t.type), y.to(t.type)};
}

/// Remembers the gradients that it steps with.
template <class Base>
struct Recording final : Base {
  using Base::Base;
  at::Tensor step(torch::optim::Optimizer::LossClosure closure = nullptr) override {
    last.clear();
    for (const auto& p : this->param_groups()[0].params()) last.push_back(p.grad().clone());
    return Base::step(closure);
  }
  std::vector<at::Tensor> last;
};
using Sgd = Recording<torch::optim::SGD>;
using Adam = Recording<torch::optim::Adam>;

void append(std::string& bytes, const at::Tensor& tensor) {
  const auto t = tensor.detach().to(at::kDouble).contiguous();
  bytes.append(static_cast<const char*>(t.data_ptr()), t.nbytes());
}

/// The optimizer of the training, and what it steps with and leaves behind, as doubles.
struct Stepper {
  Stepper(const Training& t, const std::vector<at::Tensor>& parameters) {
    if (t.adam) {
      adam = std::make_unique<Adam>(parameters, torch::optim::AdamOptions(0.01));
    } else {
      sgd = std::make_unique<Sgd>(parameters, torch::optim::SGDOptions(0.1).momentum(0.9));
    }
  }
  torch::optim::Optimizer& optimizer() {
    return adam ? static_cast<torch::optim::Optimizer&>(*adam) : *sgd;
  }
  std::string numbers(const std::vector<at::Tensor>& parameters) const {
    std::string bytes;
    const auto& gradients = adam ? adam->last : sgd->last;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      append(bytes, parameters[i]);
      append(bytes, gradients[i]);
    }
    return bytes;
  }
  std::unique_ptr<Adam> adam;
  std::unique_ptr<Sgd> sgd;
};

/// One process, the whole batch, libtorch alone: losses; then of each parameter weight and last
/// gradient.
std::pair<std::string, std::string> train_alone(const Training& t) {
  const auto ranks = run_ranks(1, [&](const World&) {
    at::set_num_threads(1);
    const auto blocks = make_blocks(t, nullptr);
    std::vector<at::Tensor> parameters;
    for (const auto& b : blocks) {
      for (const auto& p : b.module->parameters()) parameters.push_back(p);
    }
    Stepper stepper(t, parameters);
    std::string losses;
    for (int step = 0; step < t.steps; ++step) {
      const Data data = make_data(t, step, false);
      stepper.optimizer().zero_grad();
      auto h = data.x;
      for (const auto& b : blocks) h = b.forward(h);
      const auto loss = torch::mse_loss(h, data.y);
      loss.backward();
      if (t.clip > 0) torch::nn::utils::clip_grad_norm_(parameters, t.clip);
      stepper.optimizer().step();
      append(losses, loss);
    }
    return losses + stepper.numbers(parameters);
  });
  EXPECT_TRUE(ranks[0].returned()) << ranks[0].text;
  const auto head = static_cast<std::size_t>(t.steps) * sizeof(double);
  return {ranks[0].text.substr(0, head),
          ranks[0].text.substr(std::min(head, ranks[0].text.size()))};
}

PipelineStage stage_of(const Training& t, const Place& place, const std::vector<Block>& blocks) {
  const int per_stage = kBlocks / t.grid.stages;
  PipelineStage stage;
  std::vector<Block> mine(blocks.begin() + place.stage * per_stage,
                          blocks.begin() + (place.stage + 1) * per_stage);
  for (std::size_t i = 0; i < mine.size(); ++i) {
    for (const auto& p : mine[i].module->named_parameters()) {
      stage.replica.parameters.emplace_back(std::to_string(i) + '.' + p.key(), p.value());
    }
  }
  auto calls = std::make_shared<int>(0);
  stage.forward = [mine, calls, place, before = t.before_forward](const at::Tensor& x) {
    before(place, (*calls)++);
    auto h = x;
    for (const auto& b : mine) h = b.forward(h);
    return h;
  };
  if (place.stage + 1 == t.grid.stages) {
    stage.loss = [](const at::Tensor& y, const at::Tensor& targets) {
      return torch::mse_loss(y, targets);
    };
  }
  return stage;
}

PipelineBatch batch_of(const Training& t, const Place& place, const Data& data) {
  const Slice slice = slice_of(t.batch, place.data, t.grid.data);
  PipelineBatch batch;
  batch.samples = slice.count();
  batch.share = static_cast<double>(slice.count()) / static_cast<double>(t.batch);
  // Only what the stage reads.
  if (place.stage == 0) batch.inputs = data.x.slice(0, slice.begin, slice.end);
  if (place.stage + 1 == t.grid.stages) batch.targets = data.y.slice(0, slice.begin, slice.end);
  return batch;
}

std::string train_rank(const Training& t, const World& world) {
  at::set_num_threads(1);
  const bool tensor = t.grid.tensor > 1;
  const Place place = place_of(t.grid, world);
  std::unique_ptr<Communicator> together;
  if (tensor) together = make_communicator(Backend::automatic, tensor_world(world, t.grid));
  const auto blocks = make_blocks(t, together.get());
  PipelineStage stage = stage_of(t, place, blocks);
  std::vector<at::Tensor> parameters;
  for (const auto& [name, p] : stage.replica.parameters) parameters.push_back(p);
  Stepper stepper(t, parameters);
  PipelineOptions options;
  options.micro_batches = t.micro_batches;
  options.max_gradient_norm = t.clip;
  options.buckets = {64, 256};
  Pipeline pipeline(world, t.grid, stage, options);
  std::string losses;
  for (int step = 0; step < t.steps; ++step) {
    const auto batch = batch_of(t, place, make_data(t, step, tensor));
    const double before = pipeline.score(batch);
    const auto result = pipeline.train_step(&stepper.optimizer(), batch);
    TORCH_CHECK(before == result.loss, "score ", before, " differs from ", result.loss);
    append(losses, torch::scalar_tensor(result.loss, at::kDouble));
  }
  pipeline.finish_epoch();
  return losses + stepper.numbers(parameters);
}

std::vector<RankResult> train_gang(const Training& t, const RankOptions& options = {}) {
  return run_ranks(
      t.grid.size(), [&](const World& world) { return train_rank(t, world); }, options);
}

double difference(const std::string& a, const std::string& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); i += sizeof(double)) {
    double x = 0, y = 0;
    std::memcpy(&x, a.data() + i, sizeof x);
    std::memcpy(&y, b.data() + i, sizeof y);
    if (!std::isfinite(x) || !std::isfinite(y)) return INFINITY;
    largest = std::max(largest, std::abs(x - y));
  }
  return largest;
}

/// Losses and the numbers of all stages, of each pipeline; all ranks must have the same losses.
std::vector<std::pair<std::string, std::string>> by_pipeline(const Training& t,
                                                             const std::vector<RankResult>& ranks) {
  const auto head = static_cast<std::size_t>(t.steps) * sizeof(double);
  std::vector<std::pair<std::string, std::string>> all(static_cast<std::size_t>(t.grid.data));
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    EXPECT_TRUE(ranks[rank].returned()) << "rank " << rank << ": " << ranks[rank].text;
    if (!ranks[rank].returned()) return {};
    auto& [losses, numbers] = all[rank / static_cast<std::size_t>(t.grid.stages)];
    losses = ranks[rank].text.substr(0, head);
    numbers += ranks[rank].text.substr(head);
    EXPECT_TRUE(losses == ranks[0].text.substr(0, head)) << "rank " << rank << " has other losses";
  }
  return all;
}

void expect_equal_to_one_process(const Training& t, double tolerance) {
  const auto alone = train_alone(t);
  const auto pipelines = by_pipeline(t, train_gang(t));
  ASSERT_FALSE(pipelines.empty());
  for (const auto& [losses, numbers] : pipelines) {
    EXPECT_LE(difference(losses, alone.first), tolerance);
    EXPECT_LE(difference(numbers, alone.second), tolerance);
    EXPECT_TRUE(numbers == pipelines[0].second) << "pipelines differ";
  }
}

void expect_equal_in_both_types(Training t) {
  expect_equal_to_one_process(t, kFloat);
  t.type = at::kDouble;
  expect_equal_to_one_process(t, kDouble);
}

TEST(Pipeline, LossesAndGradientsEqualThoseOfOneProcess) {
  for (const int stages : {1, 2, 4}) {
    for (const int micro_batches : {1, 2, 3, 8}) {
      SCOPED_TRACE(std::to_string(stages) + " stages, " + std::to_string(micro_batches));
      Training t;
      t.grid.stages = stages;
      t.micro_batches = micro_batches;
      t.seed = static_cast<std::uint64_t>(10 * stages + micro_batches);
      t.batch = micro_batches == 8 ? 21 : 24;  // micro-batches of different sizes
      expect_equal_in_both_types(t);
    }
  }
}

TEST(Pipeline, TrainingStaysEqual) {
  for (const bool adam : {false, true}) {
    Training t;
    t.grid.stages = 4;
    t.micro_batches = 6;
    t.steps = 10;
    t.adam = adam;
    t.type = at::kDouble;
    // Adam divides by gradients that are almost zero, which magnifies rounding.
    expect_equal_to_one_process(t, adam ? 1e-9 : kDouble);
    t.type = at::kFloat;
    if (!adam) expect_equal_to_one_process(t, kFloat);
  }
}

TEST(Pipeline, HasTheBitsOfOneProcessWithTheSameMicroBatches) {
  Training t;
  t.micro_batches = 5;
  t.steps = 4;
  const auto one = by_pipeline(t, train_gang(t));
  t.grid.stages = 4;
  const auto first = by_pipeline(t, train_gang(t)), second = by_pipeline(t, train_gang(t));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_TRUE(first == one);
  EXPECT_TRUE(first == second);
}

TEST(Pipeline, SeveralOfThemEqualOneProcessWithTheWholeBatch) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    Training t;
    t.grid = {2, 2, 1};
    t.seed = seed;
    t.steps = 5;
    t.micro_batches = 3;
    t.batch = 13;  // 7 and 6 samples, in micro-batches of 2 and 3
    expect_equal_in_both_types(t);
  }
}

TEST(Pipeline, ClipsByTheNormOfTheGradientOfAllStages) {
  for (const Grid grid : {Grid{1, 4, 1}, Grid{2, 2, 1}}) {
    Training t;
    t.grid = grid;
    t.steps = 4;
    t.clip = 0.02;
    expect_equal_in_both_types(t);
    Training loose = t;
    loose.clip = 0;
    EXPECT_GT(difference(train_alone(t).second, train_alone(loose).second), 1e-3);
  }
}

TEST(Pipeline, OfStagesThatAreSplitOverRanksEqualsOneProcess) {
  const auto run = [](const Grid& grid) {
    return run_ranks(grid.size(), [&](const World& world) {
      at::set_num_threads(1);
      Training t;
      t.grid = grid;
      const Place place = place_of(grid, world);
      const auto together = make_communicator(Backend::automatic, tensor_world(world, grid));
      const auto blocks = make_blocks(t, together.get());
      PipelineStage stage = stage_of(t, place, blocks);
      std::vector<at::Tensor> parameters;
      for (const auto& [name, p] : stage.replica.parameters) parameters.push_back(p);
      Stepper stepper(t, parameters);
      PipelineOptions options;
      options.micro_batches = t.micro_batches;
      Pipeline pipeline(world, grid, stage, options);
      std::string numbers;
      for (int step = 0; step < 5; ++step) {
        const auto batch = batch_of(t, place, make_data(t, step, true));
        const double loss = pipeline.train_step(&stepper.optimizer(), batch).loss;
        append(numbers, torch::scalar_tensor(loss, at::kDouble));
      }
      const int per_stage = kBlocks / grid.stages;
      for (int b = 0; b < per_stage; ++b) {
        const auto& block = blocks[static_cast<std::size_t>(place.stage * per_stage + b)];
        for (const auto& [name, p] : whole_parameters(*together, *block.module)) append(numbers, p);
      }
      return numbers;
    });
  };
  const auto one = run({1, 1, 1}), split = run({1, 2, 2});
  for (const auto& rank : split) ASSERT_TRUE(rank.returned()) << rank.text;
  ASSERT_TRUE(one[0].returned()) << one[0].text;
  EXPECT_TRUE(split[0].text == split[1].text && split[2].text == split[3].text);
  const std::string both = split[0].text + split[2].text.substr(5 * sizeof(double));
  EXPECT_LE(difference(both, one[0].text), kFloat);
}

// ---- what goes wrong ----------------------------------------------------------------------------

TEST(Pipeline, EndsOnAllRanksAndNamesAStageThatDied) {
  Training t;
  t.grid.stages = 4;
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place.stage == 2 && call == 30) raise(SIGKILL);
  };
  const auto ranks = train_gang(t);
  EXPECT_EQ(ranks[2].kind, RankResult::Kind::died);
  for (const std::size_t rank : {0u, 1u, 3u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("rank 2 (process"), std::string::npos) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("has died"), std::string::npos) << ranks[rank].text;
  }
}

TEST(Pipeline, EndsTheOtherPipelinesTooAndSaysWhichRankOfTheGangItWas) {
  Training t;
  t.grid = {2, 2, 1};
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place == Place{1, 1, 0} && call == 30) raise(SIGKILL);
  };
  const auto ranks = train_gang(t);
  EXPECT_EQ(ranks[3].kind, RankResult::Kind::died);
  for (const std::size_t rank : {0u, 1u, 2u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("rank 1 (process"), std::string::npos) << ranks[rank].text;
  }
  // Rank 1 of the pipeline is rank 2 + 1 * 1 of the gang; of the copies of stage 1: 1 + 2 * 1.
  const bool as_stage =
      ranks[2].text.find("stage k: rank 2 + 1 * k of the gang") != std::string::npos;
  const bool as_pipeline =
      ranks[2].text.find("pipeline k: rank 1 + 2 * k of the gang") != std::string::npos;
  EXPECT_TRUE(as_stage || as_pipeline) << ranks[2].text;
}

TEST(Pipeline, EndsAtTheTimeoutIfAStageIsStopped) {
  Training t;
  t.grid.stages = 4;
  t.steps = 100;
  t.before_forward = [](const Place& place, int call) {
    if (place.stage == 2 && call == 30) raise(SIGSTOP);
  };
  RankOptions options;
  options.timeout = std::chrono::milliseconds(1500);
  options.stuck = {2};
  const auto ranks = train_gang(t, options);
  for (const std::size_t rank : {0u, 1u, 3u}) {
    EXPECT_EQ(ranks[rank].kind, RankResult::Kind::threw);
    EXPECT_EQ(ranks[rank].failure_class, BETATUNE_INFRA) << ranks[rank].text;
    EXPECT_NE(ranks[rank].text.find("did not"), std::string::npos) << ranks[rank].text;
  }
}

TEST(Pipeline, TellsAllRanksWhatOneOfThemFailedWith) {
  Training t;
  t.grid = {2, 2, 1};
  t.steps = 3;
  t.before_forward = [](const Place& place, int call) {
    if (place == Place{0, 1, 0} && call == 5) throw std::runtime_error("the disk is full");
  };
  for (const auto& rank : train_gang(t)) {
    EXPECT_EQ(rank.kind, RankResult::Kind::threw);
    EXPECT_NE(rank.text.find("the disk is full"), std::string::npos) << rank.text;
  }
}

TEST(Pipeline, EndsAsDivergedOnAllRanksAndNamesStageAndParameter) {
  for (const Grid grid : {Grid{1, 2, 1}, Grid{2, 2, 1}}) {
    const auto ranks = run_ranks(grid.size(), [&](const World& world) -> std::string {
      at::set_num_threads(1);
      Training t;
      t.grid = grid;
      const Place place = place_of(grid, world);
      PipelineStage stage = stage_of(t, place, make_blocks(t, nullptr));
      if (place.stage == 1) {
        stage.loss = [](const at::Tensor& y, const at::Tensor&) { return (y * INFINITY).mean(); };
      }
      PipelineOptions options;
      options.micro_batches = 2;
      Pipeline pipeline(world, grid, stage, options);
      pipeline.train_step(nullptr, batch_of(t, place, make_data(t, 0, false)));
      return "trained";
    });
    for (const auto& rank : ranks) {
      EXPECT_EQ(rank.failure_class, BETATUNE_DIVERGED) << rank.text;
      EXPECT_NE(rank.text.find("stage 1: "), std::string::npos) << rank.text;
      EXPECT_NE(rank.text.find("parameter `"), std::string::npos) << rank.text;
    }
  }
}

void expect_error(const std::function<void(Training&, PipelineStage&, PipelineOptions&,
                                           PipelineBatch&, const Place&)>& spoil,
                  const std::string& text) {
  const auto ranks = run_ranks(2, [&](const World& world) -> std::string {
    at::set_num_threads(1);
    Training t;
    t.grid.stages = 2;
    const Place place = place_of(t.grid, world);
    PipelineStage stage = stage_of(t, place, make_blocks(t, nullptr));
    PipelineBatch batch = batch_of(t, place, make_data(t, 0, false));
    PipelineOptions options;
    options.micro_batches = 4;
    spoil(t, stage, options, batch, place);
    Pipeline pipeline(world, t.grid, stage, options);
    pipeline.train_step(nullptr, batch);
    return "trained";
  });
  for (const auto& rank : ranks) {
    EXPECT_EQ(rank.kind, RankResult::Kind::threw);
    EXPECT_NE(rank.text.find(text), std::string::npos) << rank.text;
  }
}

TEST(Pipeline, SaysWhatIsWrongWithItsInput) {
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.samples = 3; },
               "a batch of 3 samples cannot be cut into 4 micro-batches");
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.targets.reset(); },
               "a pipeline's batch of 24 samples has no targets");
  expect_error([](auto&, auto&, auto&, auto& batch, auto&) { batch.samples = 23; },
               "a pipeline's batch of 23 samples has 24 inputs");
  expect_error([](auto&, auto& stage, auto&, auto&, auto&) { stage.loss = {}; },
               "stage 1 of 2 is the last and has no loss function");
  expect_error([](auto&, auto&, auto& options, auto&,
                  const Place& place) { options.micro_batches = 2 + place.stage; },
               "pipeline setting 2 on rank 1 is `micro-batches 3`, on rank 0 `micro-batches 2`");
  expect_error([](auto&, auto&, auto& options, auto&, auto&) { options.micro_batches = 0; },
               "a pipeline with 0 micro-batches: it needs at least one");
  expect_error([](auto& t, auto&, auto&, auto&, auto&) { t.grid.data = 2; },
               "has 4 places, but the gang has 2 rank(s)");
}

TEST(Pipeline, RefusesToClipWhereStagesAreSplit) {
  PipelineOptions options;
  options.max_gradient_norm = 1;
  World world;
  world.size = 2;
  world.rendezvous = "file:///nowhere";
  try {
    Pipeline(world, {1, 1, 2}, {}, options);
    FAIL() << "made";
  } catch (const plugin::Failure& e) {
    EXPECT_NE(std::string(e.what()).find("set it to 0"), std::string::npos) << e.what();
  }
}

TEST(Pipeline, SaysWhatFewerMicroBatchesThanStagesCost) {
  const auto ranks = run_ranks(2, [](const World& world) {
    at::set_num_threads(1);
    Training t;
    t.grid.stages = 2;
    PipelineOptions options;
    options.micro_batches = 1;
    return Pipeline(world, t.grid, stage_of(t, place_of(t.grid, world), make_blocks(t, nullptr)),
                    options)
        .description();
  });
  for (const auto& rank : ranks) {
    EXPECT_NE(rank.text.find("each stage idle 50 % of a step (fewer micro-batches than stages"),
              std::string::npos)
        << rank.text;
  }
}

// ---- the page's example -------------------------------------------------------------------------

std::pair<double, double> example(const World& world, std::uint64_t seed, const at::Tensor& inputs,
                                  const at::Tensor& targets) {
  double first = 0, last = 0;
  // docs/distributed.md, from here
  const Grid grid{1, 2, 2};  // 4 ranks: 2 stages, the layers of each split over 2 ranks
  const Place place = place_of(grid, world);
  const auto together = make_communicator(Backend::automatic, tensor_world(world, grid));
  // Equal on the ranks that share layers.
  torch::manual_seed(seed + static_cast<std::uint64_t>(place.stage));
  const auto block = std::make_shared<ParallelMlp>(*together, 64, 256);

  PipelineStage stage;
  stage.forward = [&](const at::Tensor& x) { return x + block->forward(x); };
  if (place.stage + 1 == grid.stages) {
    stage.loss = [](const at::Tensor& y, const at::Tensor& t) { return torch::mse_loss(y, t); };
  }
  for (const auto& p : block->named_parameters()) {
    stage.replica.parameters.emplace_back(p.key(), p.value());
  }
  PipelineOptions options;
  options.micro_batches = 8;
  Pipeline pipeline(world, grid, stage, options);
  torch::optim::SGD optimizer(block->parameters(), 0.5);
  for (int step = 0; step < 10; ++step) {
    const double loss = pipeline.train_step(&optimizer, {inputs, targets, inputs.size(0)}).loss;
    // to here
    if (step == 0) first = loss;
    last = loss;
  }
  return {first, last};
}

TEST(Pipeline, TheExampleOfThePageIsThisOneAndTrains) {
  const auto ranks = run_ranks(4, [](const World& world) -> std::string {
    at::set_num_threads(1);
    auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
    const auto x = torch::randn({32, 64}, generator);
    const auto [first, last] = example(world, 1, x, torch::tanh(2 * x));
    return last < 0.9 * first ? "trained" : std::to_string(first) + ' ' + std::to_string(last);
  });
  for (const auto& rank : ranks) EXPECT_EQ(rank.text, "trained");

  const auto lines = [](const std::string& text) {  // without indentation
    std::string all, line;
    for (std::istringstream in(text); std::getline(in, line);) {
      const auto begin = line.find_first_not_of(' ');
      if (begin != std::string::npos) all += line.substr(begin) + '\n';
    }
    return all;
  };
  const std::string source =
      support::file_text(BETATUNE_SOURCE_DIR "/tests/property/distributed/pipeline_test.cpp");
  const std::string from = "// docs/distributed.md, from here\n", to = "// to here";
  const auto begin =
      source.find(from, source.find("std::pair<double, double> example")) + from.size();
  const auto end = source.find(to, begin);
  ASSERT_LT(begin, end);
  ASSERT_NE(end, std::string::npos);
  const std::string example_lines = lines(source.substr(begin, end - begin));
  ASSERT_GT(example_lines.size(), 500u);
  const std::string page = lines(support::file_text(BETATUNE_SOURCE_DIR "/docs/distributed.md"));
  EXPECT_NE(page.find(example_lines), std::string::npos) << example_lines;
}

}  // namespace
}  // namespace pipeline_property
}  // namespace betatune::distributed
