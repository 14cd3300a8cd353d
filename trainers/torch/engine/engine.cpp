#include "trainers/torch/engine/engine.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <torch/torch.h>

#include "trainers/torch/distributed/optimizer_shards.hpp"
#include "trainers/torch/distributed/sync_batch_norm.hpp"
#include "trainers/torch/engine/alone.hpp"
#include "trainers/torch/engine/failures.hpp"
#include "trainers/torch/engine/precision.hpp"
#include "trainers/torch/engine/random.hpp"
#include "trainers/torch/engine/schedule.hpp"
#include "trainers/torch/engine/task.hpp"
#include "trainers/torch/engine/world.hpp"

namespace betatune::engine {
namespace {

constexpr std::int64_t kScoreBatch = 500;
/// Batches between two looks at the loss: a look waits for the GPU.
constexpr std::int64_t kLossCheckInterval = 32;

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerSettings& settings,
                                                        std::vector<torch::Tensor> parameters) {
  if (settings.kind == OptimizerKind::sgd) {
    return std::make_unique<torch::optim::SGD>(std::move(parameters),
                                               torch::optim::SGDOptions(settings.lr)
                                                   .momentum(settings.momentum)
                                                   .nesterov(settings.nesterov)
                                                   .weight_decay(settings.weight_decay));
  }
  return std::make_unique<torch::optim::AdamW>(std::move(parameters),
                                               torch::optim::AdamWOptions(settings.lr)
                                                   .betas({settings.beta1, settings.beta2})
                                                   .weight_decay(settings.weight_decay));
}

distributed::Replica replica_of(const torch::nn::Module& model) {
  distributed::Replica replica;
  for (const auto& entry : model.named_parameters()) {
    if (entry.value().requires_grad()) replica.parameters.emplace_back(entry.key(), entry.value());
  }
  for (const auto& entry : model.named_buffers()) {
    replica.buffers.emplace_back(entry.key(), entry.value());
  }
  return replica;
}

/// Where a training stands.
struct Position {
  std::int64_t epoch, batches;  ///< 1, 2, ...; batches of an epoch
  double progress(std::int64_t batch, std::int64_t epochs) const {
    const auto done = static_cast<double>((epoch - 1) * batches + batch);
    return done / static_cast<double>(batches * epochs);
  }
};

}  // namespace

struct Engine::Impl {
  Recipe recipe;
  std::shared_ptr<Task> task;
  std::uint64_t seed;
  torch::Device device;
  std::shared_ptr<distributed::Strategy> strategy;
  World world;
  std::shared_ptr<torch::nn::Module> model;
  std::unique_ptr<torch::optim::Optimizer> optimizer;

  Impl(const Recipe& r, std::shared_ptr<Task> t, std::uint64_t s, const Machine& machine,
       std::shared_ptr<distributed::Strategy> shared)
      : recipe(r), task(std::move(t)), seed(s), device(prepare(machine)), strategy(shared) {
    if (!strategy) strategy = std::make_shared<Alone>(recipe.optimizer.clip_norm);
    look_who_is_there();
    torch::manual_seed(derive_key(seed, Purpose::weights));
    model = task->make_model();
    model->to(device);
    task->move_to(device);
    optimizer = make_optimizer(recipe.optimizer, model->parameters());
    strategy->attach(replica_of(*model));
    distributed::join_batch_norms(*model, strategy->layers_communicator());
  }

  /// Ranks may end without the others (groups of a hybrid training). Returns whether some have.
  bool look_who_is_there() {
    const int size = world.size;
    world = {strategy->rank(), strategy->size()};
    return world.size != size;
  }

  double set_rates(double progress) {
    const double lr = learning_rate(recipe.schedule, recipe.optimizer.lr, progress);
    for (auto& group : optimizer->param_groups()) {
      group.options().set_lr(lr);
      if (recipe.optimizer.kind == OptimizerKind::sgd && recipe.optimizer.momentum_ramp > 0) {
        static_cast<torch::optim::SGDOptions&>(group.options())
            .momentum(momentum(recipe.optimizer, progress));
      }
    }
    return lr;
  }

  torch::Tensor loss_of(const torch::Tensor& samples) {
    const InPrecision precision(recipe.precision, device);
    return task->loss(samples);
  }

  /// One optimizer step on a batch of all ranks; adds the losses of this rank's part. A rank that
  /// has none takes a sample that weighs nothing: in a gang every rank must make the same calls.
  void step(const torch::Tensor& batch, torch::Tensor& loss_sum) {
    const Range mine = part_of(batch.size(0), world);
    const Range taken = mine.empty() ? Range{0, 1} : mine;
    const auto samples = world.size == 1 ? batch : batch.slice(0, taken.begin, taken.end);
    strategy->before_forward();
    if (mine.empty()) distributed::count_in_batch_norms(*model, false);
    const auto loss = loss_of(samples);
    const auto weight = static_cast<double>(mine.count());
    strategy->backward(loss, weight / static_cast<double>(batch.size(0)), /*last=*/true);
    if (mine.empty()) {
      distributed::count_in_batch_norms(*model, true);
    } else {
      loss_sum.add_(loss.detach(), weight);
    }
    (void)strategy->step(*optimizer);
  }

  torch::Tensor epoch_order(std::int64_t epoch) const {
    const auto n = static_cast<std::uint64_t>(epoch);
    const auto order = permutation(static_cast<std::size_t>(task->count(Part::train)),
                                   derive_key(seed, Purpose::order, n));
    return torch::tensor(order, torch::kLong).to(device);
  }

  /// Ranks drop out different units; rank 0 those of a process of its own.
  void seed_dropout(std::int64_t epoch) const {
    auto key = derive_key(seed, Purpose::dropout, static_cast<std::uint64_t>(epoch));
    const auto rank = static_cast<std::uint64_t>(world.rank);
    if (rank > 0) key = derive_key(key, Purpose::rank, rank);
    torch::manual_seed(key);
  }

  /// The mean loss over the `samples` of each rank, and how long the ranks waited since they had
  /// waited for `before` seconds.
  void finish(EpochResult& result, double loss_sum, std::int64_t samples, double before) {
    std::vector<double> sums{loss_sum, static_cast<double>(samples),
                             strategy->waited_seconds() - before};
    const bool gang = world.size > 1;
    if (gang) strategy->sum(sums);
    look_who_is_there();
    result.samples = static_cast<std::int64_t>(sums[1]);
    result.loss = sums[0] / sums[1];
    if (gang && device.is_cpu()) result.waited_seconds = sums[2] / world.size;
    result.metrics = strategy->metrics();
    result.news = strategy->news();
  }

  EpochResult train(std::int64_t epoch) {
    look_who_is_there();
    model->train();
    seed_dropout(epoch);
    const torch::Tensor order = epoch_order(epoch);
    const std::int64_t samples = order.size(0), size = recipe.batch_size;
    const Position position{epoch, (samples + size - 1) / size};
    EpochResult result;
    std::int64_t trained = 0;  // by this rank
    const double waited_before = strategy->waited_seconds();
    auto loss_sum = torch::zeros({}, torch::dtype(torch::kDouble).device(device));
    for (std::int64_t i = 0; i < position.batches; ++i) {
      result.last_learning_rate = set_rates(position.progress(i, recipe.epochs));
      const auto batch = order.slice(0, i * size, std::min((i + 1) * size, samples));
      step(batch, loss_sum);
      trained += part_of(batch.size(0), world).count();
      // A rank that left the loop alone would leave the others waiting.
      const bool look = world.size == 1 && (i + 1) % kLossCheckInterval == 0;
      if (look && !std::isfinite(loss_sum.item<double>())) break;
    }
    strategy->finish_epoch();
    finish(result, loss_sum.item<double>(), trained, waited_before);
    return result;
  }

  /// Ranks that have ended in between leave a part unscored: then those that are left begin anew.
  Score score(Part part) {
    for (;;) {
      const Score score = score_once(part);
      if (!look_who_is_there()) return score;
    }
  }

  /// Whole batches are dealt out, so that the sums are the same however many ranks there are (but
  /// for the order in which they are added).
  Score score_once(Part part) {
    const torch::NoGradGuard no_gradients;
    const InPrecision precision(recipe.precision, device);
    model->eval();
    const std::int64_t samples = task->count(part);
    const Range mine = part_of((samples + kScoreBatch - 1) / kScoreBatch, world);
    std::vector<double> sums(3, 0.0);  // loss, right, samples with a discriminant
    std::vector<double> discriminants(static_cast<std::size_t>(samples), 0.0);
    for (std::int64_t i = mine.begin; i < mine.end; ++i) {
      const std::int64_t begin = i * kScoreBatch, end = std::min(begin + kScoreBatch, samples);
      const Judgement judged = task->judge(part, begin, end);
      sums[0] += judged.loss_sum.item<double>();
      if (judged.correct.defined()) sums[1] += static_cast<double>(judged.correct.item<int64_t>());
      if (!judged.discriminant.defined()) continue;
      const auto numbers = judged.discriminant.to(torch::kCPU, torch::kDouble).contiguous();
      std::copy_n(numbers.data_ptr<double>(), end - begin, discriminants.begin() + begin);
      sums[2] += static_cast<double>(end - begin);
    }
    if (world.size > 1) strategy->sum(sums);
    if (sums[2] == 0) discriminants.clear();
    // Each is on one rank, and 0 on the others.
    if (world.size > 1 && sums[2] > 0) strategy->sum(discriminants);
    const auto count = static_cast<double>(samples);
    return {sums[0] / count, sums[1] / count, std::move(discriminants)};
  }
};

Engine::Engine(const Recipe& recipe, std::shared_ptr<Task> task, std::uint64_t seed,
               const Machine& machine, std::shared_ptr<distributed::Strategy> strategy)
    : impl_(guarded([&] {
        return std::make_unique<Impl>(recipe, std::move(task), seed, machine, std::move(strategy));
      })) {}

Engine::~Engine() = default;

EpochResult Engine::train_epoch(std::int64_t epoch) {
  return guarded([&] {
    const auto started = std::chrono::steady_clock::now();
    EpochResult result = impl_->train(epoch);
    result.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    return result;
  });
}

Score Engine::score(Part part) {
  return guarded([&] { return impl_->score(part); });
}

std::int64_t Engine::count(Part part) const {
  return impl_->task->count(part);
}

bool Engine::classifies() const {
  return impl_->task->classifies();
}

void Engine::save(const std::string& directory) {
  guarded([&] {
    if (impl_->world.rank == 0) {
      torch::serialize::OutputArchive weights;
      impl_->model->save(weights);
      weights.save_to(directory + "/model.pt");
    }
    const int shards = impl_->strategy->optimizer_shards();
    if (impl_->world.rank < shards) {
      distributed::save_optimizer(*impl_->optimizer, directory, impl_->world.rank, shards);
    }
    impl_->strategy->save(directory);
  });
}

void Engine::load(const std::string& directory) {
  guarded([&] {
    torch::serialize::InputArchive weights;
    weights.load_from(directory + "/model.pt", impl_->device);
    impl_->model->load(weights);
    // Its state comes from there; its rates are this training's.
    std::vector<std::unique_ptr<torch::optim::OptimizerOptions>> own;
    for (auto& group : impl_->optimizer->param_groups()) own.push_back(group.options().clone());
    distributed::load_optimizer(*impl_->optimizer, directory, impl_->device,
                                [&](const at::Tensor& p) { return impl_->strategy->owns(p); });
    for (std::size_t i = 0; i < own.size(); ++i) {
      impl_->optimizer->param_groups()[i].set_options(std::move(own[i]));
    }
    impl_->strategy->load(directory);
  });
}

std::int64_t Engine::parameter_count() const {
  std::int64_t count = 0;
  for (const auto& parameter : impl_->model->parameters()) count += parameter.numel();
  return count;
}

bool Engine::on_gpu() const {
  return impl_->device.is_cuda();
}

std::string Engine::description() const {
  const std::string machine = describe(impl_->device);
  return impl_->world.size == 1 ? machine : machine + ", " + impl_->strategy->description();
}

void rethrow(const std::string& text, bool known_oom) {
  const bool oom = known_oom || text.find("can't allocate memory") != std::string::npos ||
                   text.find("out of memory") != std::string::npos;
  // The lines after the first are a C++ backtrace.
  throw plugin::Failure(oom ? BETATUNE_OOM : BETATUNE_ERROR,
                        "libtorch: " + text.substr(0, text.find('\n')));
}

}  // namespace betatune::engine
