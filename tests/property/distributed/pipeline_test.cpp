/// A model cut into stages must train as in one process.

#include "trainers/torch/distributed/model_parallel/pipeline.hpp"

#include <gtest/gtest.h>
#include <sstream>
#include <torch/torch.h>

#include "tests/support/file_text.hpp"
#include "tests/support/pipeline_training.hpp"

namespace betatune::distributed {
namespace pipeline_property {
namespace {

using namespace support::pipelines;
using support::RankResult;
using support::run_ranks;

/// Weights are of order 1, and floats: some ulps in some steps. Doubles show that it is rounding.
constexpr double kFloat = 1e-6, kDouble = 1e-12;

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

TEST(Pipeline, EqualsOneProcessOverGloo) {
  if (!has_backend(Backend::gloo)) GTEST_SKIP() << "gloo is not in this build";
  Training t;
  t.backend = Backend::gloo;
  t.steps = 4;
  for (const Grid grid : {Grid{1, 4, 1}, Grid{2, 2, 1}}) {
    t.grid = grid;
    expect_equal_in_both_types(t);
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

TEST(Pipeline, KeepsActivationsOfNoMoreMicroBatchesThanTheScheduleSays) {
  for (const int micro_batches : {2, 8}) {
    Training t;
    t.grid.stages = 4;
    const auto ranks = run_ranks(4, [&](const World& world) {
      at::set_num_threads(1);
      const Place place = place_of(t.grid, world);
      PipelineStage stage = stage_of(t, place, make_blocks(t, nullptr));
      int now = 0, peak = 0;
      stage.forward = [&, inner = stage.forward](const at::Tensor& x) {
        const auto y = inner(x);
        peak = std::max(peak, ++now);
        y.register_hook([&now](const at::Tensor&) { --now; });
        return y;
      };
      PipelineOptions options;
      options.micro_batches = micro_batches;
      Pipeline pipeline(world, t.grid, stage, options);
      pipeline.train_step(nullptr, batch_of(t, place, make_data(t, 0, false)));
      return std::to_string(peak);
    });
    for (int s = 0; s < 4; ++s) {
      EXPECT_EQ(ranks[static_cast<std::size_t>(s)].text,
                std::to_string(std::min(4 - s, micro_batches)));
    }
  }
}

TEST(Pipeline, TakesAStageWithoutParameters) {
  const auto train = [](const Grid& grid) {
    return run_ranks(grid.size(), [&](const World& world) {
      at::set_num_threads(1);
      const Place place = place_of(grid, world);
      const bool first = place.stage == 0, last = place.stage + 1 == grid.stages;
      torch::manual_seed(1);
      torch::nn::Linear linear(5, 3);
      PipelineStage stage;
      stage.forward = [&](const at::Tensor& x) {
        const auto scaled = first ? torch::tanh(2 * x) : x;
        return last ? linear(scaled) : scaled;
      };
      std::unique_ptr<torch::optim::SGD> optimizer;
      if (last) {
        stage.loss = [](const at::Tensor& y, const at::Tensor& t) { return torch::mse_loss(y, t); };
        stage.replica.parameters = {{"weight", linear->weight}, {"bias", linear->bias}};
        optimizer = std::make_unique<torch::optim::SGD>(linear->parameters(), 0.1);
      }
      PipelineOptions options;
      options.micro_batches = 2;
      Pipeline pipeline(world, grid, stage, options);
      const Slice own = slice_of(8, place.data, grid.data);
      std::string losses;
      for (int step = 0; step < 5; ++step) {
        auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<unsigned>(step));
        const auto x = torch::randn({8, 5}, generator), y = torch::randn({8, 3}, generator);
        const PipelineBatch batch{x.slice(0, own.begin, own.end), y.slice(0, own.begin, own.end),
                                  own.count(), static_cast<double>(own.count()) / 8};
        const double loss = pipeline.train_step(optimizer.get(), batch).loss;
        append(losses, torch::scalar_tensor(loss, at::kDouble));
      }
      return losses;
    });
  };
  const auto alone = train({1, 1, 1});
  for (const Grid grid : {Grid{1, 2, 1}, Grid{2, 2, 1}}) {
    for (const auto& rank : train(grid)) {
      ASSERT_TRUE(rank.returned()) << rank.text;
      EXPECT_LE(difference(rank.text, alone[0].text), kFloat);
    }
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
