#pragma once
/// Trains a model that is cut into stages, a rank each: the samples of a step go through in
/// micro-batches, by the schedule of schedule.hpp; activations are sent forward, their gradients
/// backward. The weights change when all are through, so a step is that of one process with the
/// same micro-batches, bit for bit, for one pipeline. Several pipelines share the samples:
/// gradients of equal stages are summed over them, during the last micro-batch's backward pass
/// (Reducer).
///
///     Pipeline pipeline(world, grid, stage, options);   // on every rank
///     for each step:
///       pipeline.train_step(optimizer, batch);          // on every rank
///
/// source: Narayanan et al. 2021, arXiv:2104.04473. Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "trainers/torch/distributed/buckets.hpp"
#include "trainers/torch/distributed/model_parallel/grid.hpp"
#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::distributed {

/// What a rank computes.
struct PipelineStage {
  /// Of one micro-batch: the samples (first stage) or the output of the stage before -> its output,
  /// floating, in which every sample is alone (no batch normalisation). Must not write into x.
  std::function<at::Tensor(const at::Tensor& x)> forward;
  /// Last stage: the mean loss over the samples of a micro-batch, one number. Else empty.
  std::function<at::Tensor(const at::Tensor& output, const at::Tensor& targets)> loss;
  /// Parameters of this stage. A weight of two stages is two weights.
  Replica replica;
};

struct PipelineOptions {
  /// Of each step, at most as many as samples; the more, the less the stages wait (idle_share).
  int micro_batches = 1;
  /// The gradient of a step (of all stages together) is scaled down to this 2-norm; 0: not. With
  /// tensor parallelism it must be 0.
  double max_gradient_norm = 0;
  /// A gradient that is not finite ends the training, naming stage and parameter.
  bool check_finite = true;
  BucketLimits buckets;  ///< of the exchange between pipelines
  Backend backend = Backend::automatic;
};

/// This pipeline's samples of one step. Every rank gives the numbers; tensors may be undefined
/// where they are not read.
struct PipelineBatch {
  at::Tensor inputs;         ///< samples x ..., first stage
  at::Tensor targets;        ///< samples x ..., last stage
  std::int64_t samples = 0;  ///< of this pipeline
  double share = 1;          ///< samples / those of all pipelines together
};

struct PipelineResult {
  double loss = 0;  ///< mean over the samples of all pipelines, the same on every rank
  double gradient_norm =
      0;  ///< 2-norm over all stages before clipping; NaN with tensor parallelism
};

/// errors of all calls: CommunicationError that says which ranks of the gang are dead or late;
/// plugin::Failure. After one, a Pipeline is of no more use, and the other ranks fail with its
/// text.
class Pipeline {
 public:
  /// Collective. Stages of several pipelines start from the first one's weights; all ranks must
  /// have the same options.
  Pipeline(const World& world, const Grid& grid, PipelineStage stage,
           const PipelineOptions& options);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  /// Collective. optimizer: of this stage's parameters; null for a stage without any. Gradients are
  /// dropped.
  PipelineResult train_step(torch::optim::Optimizer* optimizer, const PipelineBatch& batch);
  /// The loss alone, without gradients. Collective.
  double score(const PipelineBatch& batch);
  /// Buffers := the first pipeline's. Collective.
  void finish_epoch();

  const Place& place() const;
  bool is_first_stage() const;
  bool is_last_stage() const;
  /// For logs, with what the micro-batches cost: "pipeline of 4 stage(s), 8 micro-batch(es), ...".
  std::string description() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace betatune::distributed
