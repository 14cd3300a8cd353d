#pragma once
/// Which part of a layer's weights a rank has, and how the parts become the whole again: for
/// checkpoints that do not depend on the number of ranks, and for comparing with one process.
/// Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <torch/nn/module.h>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

/// A weight is `blocks` equal blocks along `dimension`, and a rank has its part of each block. (The
/// queries, keys and values of attention are three blocks of one weight; else it is one.)
struct Split {
  static constexpr std::int64_t kNotSplit = -1;  ///< every rank has all of it
  std::int64_t dimension = kNotSplit;
  std::int64_t blocks = 1;
};

/// whole    of which `dimension` has a size divisible by blocks * ranks
/// returns  memory of its own
at::Tensor part_of(const at::Tensor& whole, const Split& split, int rank, int ranks);
/// Collective; part_of the other way round.
at::Tensor whole_of(Communicator& communicator, const at::Tensor& part, const Split& split);

/// A layer with parameters that are split. Modules of such layers need not be of this class.
class SplitModule : public torch::nn::Module {
 public:
  /// Of this module's own parameters, by name; the others are not split.
  const std::map<std::string, Split>& splits() const { return splits_; }

 protected:
  /// Registers this rank's part of `whole`, which must have the same values on all ranks.
  at::Tensor register_part(const std::string& name, const at::Tensor& whole, const Split& split,
                           const Communicator& communicator);

 private:
  std::map<std::string, Split> splits_;
};

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// All parameters of a module (which may hold split layers), in the order and with the names of
/// named_parameters(), as one process would have them: copies. Collective.
NamedTensors whole_parameters(Communicator& communicator, const torch::nn::Module& module);
/// Their gradients; zeros where there is none.
NamedTensors whole_gradients(Communicator& communicator, const torch::nn::Module& module);

/// Sets every parameter to its part of what whole_parameters returned, for any number of ranks. Not
/// collective.
/// errors plugin::Failure (BETATUNE_CHECKPOINT) that names a parameter that is missing, is not of
/// the module, or has another shape; then none was changed
void load_whole_parameters(const Communicator& communicator, torch::nn::Module& module,
                           const NamedTensors& whole);

}  // namespace betatune::distributed
