#pragma once
/// Trainings of a small model that is cut into stages, on ranks and in one process: for tests of
/// pipelines.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <string>
#include <torch/torch.h>
#include <utility>
#include <vector>

#include "tests/support/doubles_as_bytes.hpp"
#include "tests/support/ranks.hpp"
#include "trainers/torch/distributed/model_parallel/layers.hpp"
#include "trainers/torch/distributed/model_parallel/pipeline.hpp"

namespace betatune::support::pipelines {

using namespace distributed;

inline constexpr int kBlocks = 4;

/// A training as a test describes it; the same on every rank.
struct Training {
  Grid grid;
  int micro_batches = 4;
  std::int64_t batch = 24;  ///< of all pipelines
  int steps = 1;
  double clip = 0;
  bool adam = false;
  at::ScalarType type = at::kFloat;
  Backend backend = Backend::automatic;
  std::uint64_t seed = 1;
  /// Called before each forward pass of a micro-batch, of a rank.
  std::function<void(const Place&, int call)> before_forward = [](auto&, int) {};
};

/// Four blocks of different widths; with tensor parallelism two-layer ones of one width.
struct Block {
  std::shared_ptr<torch::nn::Module> module;
  std::function<at::Tensor(const at::Tensor&)> forward;
};

inline std::vector<std::int64_t> widths(std::uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  std::vector<std::int64_t> all;
  for (int i = 0; i <= kBlocks; ++i) {
    all.push_back(torch::randint(1, 24, {1}, generator).item<std::int64_t>());
  }
  return all;
}

/// All blocks, made alike on all ranks.
inline std::vector<Block> make_blocks(const Training& t, Communicator* together) {
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
inline Data make_data(const Training& t, int step, bool tensor) {
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

inline void append(std::string& bytes, const at::Tensor& tensor) {
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
inline std::pair<std::string, std::string> train_alone(const Training& t) {
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

inline PipelineStage stage_of(const Training& t, const Place& place,
                              const std::vector<Block>& blocks) {
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

inline PipelineBatch batch_of(const Training& t, const Place& place, const Data& data) {
  const Slice slice = slice_of(t.batch, place.data, t.grid.data);
  PipelineBatch batch;
  batch.samples = slice.count();
  batch.share = static_cast<double>(slice.count()) / static_cast<double>(t.batch);
  // Only what the stage reads.
  if (place.stage == 0) batch.inputs = data.x.slice(0, slice.begin, slice.end);
  if (place.stage + 1 == t.grid.stages) batch.targets = data.y.slice(0, slice.begin, slice.end);
  return batch;
}

inline std::string train_rank(const Training& t, const World& world) {
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
  options.backend = t.backend;
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

inline std::vector<RankResult> train_gang(const Training& t, const RankOptions& options = {}) {
  return run_ranks(
      t.grid.size(), [&](const World& world) { return train_rank(t, world); }, options);
}

using support::difference;

}  // namespace betatune::support::pipelines
