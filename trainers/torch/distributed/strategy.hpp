#pragma once
/// What happens to gradients between backward and the next forward. The training loop computes a
/// loss; a Strategy makes one step of the optimizer of it: alone, with gradients averaged over a
/// gang (DataParallel), or by way of a parameter server. So one loop serves them all:
///
///     strategy.attach(replica);                       // once
///     for each step:
///       for each micro-batch i of this rank:          // one, unless gradients are accumulated
///         strategy.before_forward();
///         loss = mean loss of the micro-batch
///         strategy.backward(loss, share, /*last=*/i + 1 == micro_batches);
///       strategy.step(optimizer);                     // leaves all gradients undefined
///     strategy.finish_epoch();
///
/// In a gang every rank makes the same calls. `share` is the micro-batch's part of the samples of
/// this step over all micro-batches and ranks (one process and one micro-batch: 1), so all shares
/// of a step add up to 1, and an uneven last batch weighs by its samples. The loop must not clear,
/// scale or clip gradients itself.

#include <ATen/core/Tensor.h>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace torch::optim {
class Optimizer;
}

namespace betatune::distributed {

/// What a strategy keeps equal: of a torch::nn::Module, named_parameters() and named_buffers() in
/// their order. The tensors share memory with the module's.
struct Replica {
  std::vector<std::pair<std::string, at::Tensor>> parameters;  ///< those that require gradients
  std::vector<std::pair<std::string, at::Tensor>> buffers;
};

struct StepResult {
  /// 2-norm of the whole gradient of this step before clipping; NaN where a strategy does not know
  /// it.
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();
};

/// errors of all calls: plugin::Failure (BETATUNE_DIVERGED for a gradient that is not finite,
/// naming the rank; CommunicationError for ranks that do not come)
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// Takes the model, and makes it equal on all ranks (that of rank 0). Once, before the optimizer
  /// has made a step; the optimizer's parameters must be of the replica.
  virtual void attach(const Replica& replica) = 0;
  virtual void before_forward() {}
  /// Runs the backward pass of `mean_loss * share`. `last`: step() comes next, so gradients may be
  /// exchanged while the pass goes on; else they only add up.
  virtual void backward(const at::Tensor& mean_loss, double share, bool last) = 0;
  /// Exchanges what is left, clips, steps, and drops the gradients. When it returns, the parameters
  /// are those that the next forward shall use.
  virtual StepResult step(torch::optim::Optimizer& optimizer) = 0;
  /// Everything started is finished, and rank 0's model is the one to be scored and saved.
  virtual void finish_epoch() {}

  /// Seconds of step() so far in which this rank waited for what the ranks exchange: what the
  /// backward pass did not hide. On CPUs alone; where work is queued on a GPU, nobody waits there.
  virtual double waited_seconds() const { return 0; }

  /// What it has found out by now, for the reports; the same on all ranks.
  virtual std::map<std::string, double> metrics() const { return {}; }
  /// What is new since the last call, for the log; "": nothing.
  virtual std::string news() { return ""; }

  /// values := sums over the ranks that are left (of losses and counts, say). Collective.
  virtual void sum(std::vector<double>& values) = 0;

  /// How many ranks have a share of the optimizer's state: ranks 0 to that less 1. 1: every rank's
  /// optimizer has all of it.
  virtual int optimizer_shards() const { return 1; }
  /// Whether this rank's optimizer has the parameter's state.
  virtual bool owns(const at::Tensor& /*parameter*/) const { return true; }

  /// For layers that exchange something within a pass (sync_batch_norm.hpp); null: ranks do not
  /// go in step, or there is one.
  virtual class Communicator* layers_communicator() { return nullptr; }

  /// State of its own (errors kept for feedback): files in the existing folder `directory`, named
  /// by rank. Called on every rank, after the optimizer's own save or load.
  virtual void save(const std::string& /*directory*/) {}
  virtual void load(const std::string& /*directory*/) {}

  /// Among the ranks that are left, which may be fewer after finish_epoch() and sum(): the same
  /// number then on all of them.
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// For logs: "data parallel, 4 ranks over gloo, fp16".
  virtual std::string description() const = 0;
};

}  // namespace betatune::distributed
