#include "trainers/torch/engine/gang.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <torch/cuda.h>

#include "trainers/rank_groups.h"
#include "trainers/torch/distributed/data_parallel.hpp"
#include "trainers/torch/distributed/parameter_server.hpp"
#include "trainers/torch/distributed/settings.hpp"

namespace betatune::engine {
namespace {

using std::chrono::milliseconds;

/// Workers that do not wait for each other meet at the ends of epochs alone, early or late.
constexpr milliseconds kAsynchronousPatience{std::chrono::hours(1)};

milliseconds rank_timeout(const betatune_job& job) {
  // A host of ABI 1.0 does not have the member.
  constexpr std::size_t kNeeded =
      offsetof(betatune_job, rank_timeout_ms) + sizeof job.rank_timeout_ms;
  if (job.size < kNeeded || job.rank_timeout_ms <= 0) return milliseconds(10'000);
  return milliseconds(job.rank_timeout_ms);
}

distributed::World world_of(const betatune_job& job) {
  distributed::World world;
  world.rank = job.rank;
  world.size = std::max(1, job.world_size);
  world.local_rank = job.local_rank;
  world.rendezvous = job.rendezvous;
  world.timeout = rank_timeout(job);
  return world;
}

std::shared_ptr<distributed::Strategy> make_data_parallel(
    const betatune_job& job, const Recipe& recipe, const distributed::Settings& settings,
    std::unique_ptr<distributed::Communicator> communicator) {
  distributed::DataParallelOptions options;
  options.buckets = settings.buckets;
  options.compression = settings.compression;
  options.check_finite = settings.check_finite;
  options.shard_optimizer = settings.shard_optimizer;
  options.tuning_window = settings.tuning_window;
  options.max_gradient_norm = recipe.optimizer.clip_norm;
  if (settings.timeline) {
    // Beside the attempt's log, where it stays.
    const std::filesystem::path scratch(job.scratch_dir);
    options.timeline_path = (scratch.parent_path() / "timeline.json").string();
  }
  return std::make_shared<distributed::DataParallel>(std::move(communicator), options);
}

/// The service ends the ranks of a group, and no more than those, where it knows of groups.
distributed::GroupHost group_host(const plugin::Host& host) {
  const auto* groups =
      static_cast<const betatune_rank_groups*>(host.extension(BETATUNE_RANK_GROUPS));
  if (groups == nullptr) return {};
  void* const ctx = host.ctx();
  return {
      [groups, ctx](const std::vector<int>& group_of) {
        const auto ranks = static_cast<std::int32_t>(group_of.size());
        groups->declare(ctx, group_of.data(), ranks);
      },
      [groups, ctx](int group, const std::string& why) { groups->end(ctx, group, why.c_str()); }};
}

std::shared_ptr<distributed::Strategy> make_parameter_server(
    const betatune_job& job, const plugin::Host& host, const Recipe& recipe,
    const distributed::Settings& settings,
    std::unique_ptr<distributed::Communicator> communicator) {
  distributed::ParameterServerOptions options;
  options.strategy_json = settings.strategy_json;
  options.servers = settings.servers;
  options.sub_masters = settings.sub_masters;
  options.sub_masters_mean = settings.sub_masters_mean;
  options.learning_rate = recipe.optimizer.lr;
  const bool sgd = recipe.optimizer.kind == OptimizerKind::sgd;
  options.weight_decay = sgd ? recipe.optimizer.weight_decay : 0;
  options.max_gradient_norm = recipe.optimizer.clip_norm;
  options.backend = settings.backend;
  options.rank_timeout = rank_timeout(job);
  options.group_host = group_host(host);
  return std::make_shared<distributed::ParameterServer>(std::move(communicator), options);
}

}  // namespace

std::shared_ptr<distributed::Strategy> join_gang(const betatune_job& job, Recipe& recipe,
                                                 const plugin::Host& host) {
  distributed::World world = world_of(job);
  if (world.size == 1 && recipe.distributed == "{}") return nullptr;
  const distributed::Settings settings = distributed::read_settings(recipe, world.size);
  recipe = distributed::for_gang(recipe, settings, world.size);
  distributed::check_batch(recipe.batch_size, world.size);
  if (settings.asynchronous) {
    world.timeout = std::max(world.timeout, kAsynchronousPatience);
  } else {
    // Parameter servers keep their weights in the memory of the machine.
    world.on_gpu = job.gpus > 0 && torch::cuda::is_available();
  }
  auto communicator = distributed::make_communicator(settings.backend, world);
  return settings.asynchronous
             ? make_parameter_server(job, host, recipe, settings, std::move(communicator))
             : make_data_parallel(job, recipe, settings, std::move(communicator));
}

}  // namespace betatune::engine
