#pragma once
/// Layers whose weights lie on several ranks. Every rank makes each layer whole, as one process
/// would of the same seed, and keeps its part: so a model does not depend on how many ranks share
/// it, and the generators of all ranks stay in step. (That takes memory for one whole layer at a
/// time.) A block of two linear layers needs one sum over the ranks forward, and one backward.
///
/// The communicator (of the ranks that share the layers) must live longer. Layers are made, called,
/// and their backward passes run by all its ranks alike.
/// errors of the constructors: CommunicationError (BETATUNE_ERROR) that names the layer, for sizes
/// that the ranks cannot share equally, and for ranks whose generators were in different states
/// source: Shoeybi et al. 2019, arXiv:1909.08053, section 3. Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <memory>

#include "trainers/torch/distributed/model_parallel/splits.hpp"

namespace betatune::distributed {

struct ColumnParallelOptions {
  bool bias = true;
  bool whole_output = false;  ///< put the ranks' outputs together; else each rank has its part
  std::int64_t blocks = 1;    ///< of the outputs, see Split
};

/// y = x A^T + b, A split by its outputs: each rank computes outputs of its own, of the whole
/// input. Weights as torch::nn::Linear(inputs, outputs) makes them.
class ColumnParallelLinear final : public SplitModule {
 public:
  ColumnParallelLinear(Communicator& communicator, std::int64_t inputs, std::int64_t outputs,
                       const ColumnParallelOptions& options = {});
  /// x        ... x inputs, the same on all ranks
  /// returns  ... x outputs / ranks, or ... x outputs with whole_output
  at::Tensor forward(const at::Tensor& x);

 private:
  Communicator& communicator_;
  bool whole_output_;
  at::Tensor weight_, bias_;
};

struct RowParallelOptions {
  bool bias = true;
  bool whole_input = false;  ///< x is the same on all ranks; else each rank gives its part
};

/// y = x A^T + b, A split by its inputs: each rank computes a term of the sum. The bias is added
/// once, and is whole on every rank.
class RowParallelLinear final : public SplitModule {
 public:
  RowParallelLinear(Communicator& communicator, std::int64_t inputs, std::int64_t outputs,
                    const RowParallelOptions& options = {});
  /// x        ... x inputs / ranks, or ... x inputs with whole_input
  /// returns  ... x outputs, the same on all ranks
  at::Tensor forward(const at::Tensor& x);

 private:
  Communicator& communicator_;
  bool whole_input_;
  at::Tensor weight_, bias_;
};

/// Two layers with GELU between them: `up` is split by its outputs, `down` by its inputs.
class ParallelMlp final : public torch::nn::Module {
 public:
  /// hidden  divisible by the ranks
  ParallelMlp(Communicator& communicator, std::int64_t units, std::int64_t hidden);
  at::Tensor forward(const at::Tensor& x);  ///< ... x units -> ... x units

 private:
  std::shared_ptr<ColumnParallelLinear> up_;
  std::shared_ptr<RowParallelLinear> down_;
};

/// Self-attention of several heads, each of which is on one rank. Without dropout. `in` has the
/// queries, keys and values of all heads one after another, as torch::nn::MultiheadAttention.
class ParallelSelfAttention final : public torch::nn::Module {
 public:
  /// units   divisible by heads
  /// heads   divisible by the ranks
  /// causal  a place sees itself and those before it
  ParallelSelfAttention(Communicator& communicator, std::int64_t units, std::int64_t heads,
                        bool causal = false);
  at::Tensor forward(const at::Tensor& x);  ///< n x places x units -> n x places x units

 private:
  std::int64_t heads_, head_units_;  ///< heads of this rank
  bool causal_;
  std::shared_ptr<ColumnParallelLinear> in_;
  std::shared_ptr<RowParallelLinear> out_;
};

}  // namespace betatune::distributed
