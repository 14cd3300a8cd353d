#pragma once
/// What goes over the wire for a bucket of gradients: the floats themselves, floats of two bytes,
/// or a product of two thin matrices (PowerSGD). Needs libtorch.

#include <ATen/core/Tensor.h>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/settings.hpp"

namespace betatune::distributed {

/// "none", "fp16", "bf16", "powersgd", and back.
/// errors plugin::Failure that lists them
CompressionKind compression_named(const std::string& name);
std::string name_of(CompressionKind kind);

/// A bucket as a compressor sees it.
struct CompressionBucket {
  /// One dimension; becomes the sum over the ranks. The gradients, then a few numbers that must
  /// come through as they are.
  at::Tensor flat;
  std::vector<std::pair<std::string, at::Tensor>> gradients;  ///< views of flat
  at::Tensor tail;                                            ///< what is behind them
};

/// Sums buckets over the ranks, all of them in the same order. One object for the life of a model:
/// it keeps what was lost, to be added the next time.
class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Starts the exchange of a bucket, which is not to be touched until it is finished.
  /// step  optimizer steps done
  virtual Communicator::Handle start(const CompressionBucket& bucket, std::int64_t step) = 0;
  /// Waits; then bucket.flat is the sum, the same on all ranks bit for bit.
  virtual void finish(const CompressionBucket& bucket, Work& work, std::int64_t step) = 0;
  /// State by name, for checkpoints (of this rank; the tensors are its own, not copies).
  virtual std::vector<std::pair<std::string, at::Tensor>> state() { return {}; }
  virtual void set_state(const std::vector<std::pair<std::string, at::Tensor>>&) {}
};

std::unique_ptr<Compressor> make_compressor(Communicator& communicator,
                                            const CompressionOptions& options);

}  // namespace betatune::distributed
