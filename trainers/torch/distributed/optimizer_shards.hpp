#pragma once
/// The optimizer's state dealt over the ranks of a gang: each rank steps its share of the
/// parameters, and so keeps the state of that share alone, then sends them to the others. Momentum
/// and second moments are most of what a training holds in memory beside its activations; over n
/// ranks each has about 1/n of them. Weights and gradients stay whole on every rank, and the
/// weights are those of a training without shards, bit for bit.
/// source Rajbhandari et al. 2020, arXiv:1910.02054, section 5 (stage 1)

#include <ATen/core/Tensor.h>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"

namespace torch::optim {
class Optimizer;
}

namespace betatune::distributed {

class OptimizerShards {
 public:
  /// parameters  the same on all ranks; whole ones are dealt out by their bytes (shards.hpp)
  OptimizerShards(Communicator& communicator,
                  const std::vector<std::pair<std::string, at::Tensor>>& parameters);

  /// Whether this rank steps the parameter. What was not dealt out everybody has.
  bool owns(const at::Tensor& parameter) const;
  /// Drops the gradients of what others step: optimizers skip a parameter without a gradient, and
  /// make no state for it.
  void drop_gradients_of_others();
  /// parameters := their owners'. Collective.
  void share_parameters();

 private:
  /// What is sent at once: one large parameter, or all small ones of an owner and a type.
  struct Message {
    int owner = 0;
    std::vector<at::Tensor> parameters;
  };

  Communicator& communicator_;
  std::map<const void*, int> owners_;  ///< by the tensor's implementation
  std::vector<at::Tensor> others_;     ///< parameters that this rank does not step
  std::vector<Message> messages_;      ///< the same, in the same order, on all ranks
};

/// The optimizer's state in files: optimizer.pt of rank 0, and optimizer-rank-R.pt of each further
/// rank that has a share of it. Any number of ranks can read what any number wrote.
///
/// shard   whose state this is, of `shards`; with one the file is that of a process of its own
/// errors  c10::Error: it cannot be written
void save_optimizer(const torch::optim::Optimizer& optimizer, const std::string& directory,
                    int shard, int shards);

/// Reads all shards, one after another, and keeps the state of the parameters that `keep` wants.
///
/// device  where the state shall be
/// errors  plugin::Failure (BETATUNE_CHECKPOINT) that names the file: missing, damaged, or of a
///         checkpoint of another number of ranks
void load_optimizer(torch::optim::Optimizer& optimizer, const std::string& directory,
                    const at::Device& device, const std::function<bool(const at::Tensor&)>& keep);

}  // namespace betatune::distributed
