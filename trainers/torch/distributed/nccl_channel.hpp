#pragma once
/// NCCL among some ranks: one of its communicators, with a CUDA stream of its own. NCCL waits for
/// ever for a rank that is gone, on the GPU, where no error reaches the program; so nothing here
/// blocks inside NCCL, every wait looks at a clock and at the ranks' common store, and giving up
/// ends the kernels that still wait.

#include <ATen/core/Tensor.h>
#include <chrono>
#include <functional>
#include <memory>
#include <nccl.h>
#include <optional>
#include <string>
#include <vector>

#include "trainers/torch/distributed/watcher.hpp"
#include "trainers/torch/distributed/work.hpp"

namespace betatune::distributed {

/// A point in a stream of the GPU.
class CudaEvent;

/// What has been queued so far on the current stream of the device.
std::shared_ptr<CudaEvent> mark_current_stream(at::Device device);

/// Throws the CommunicationError of an operation that failed with this error.
using Blame = std::function<void(const std::string& error)>;

class NcclChannel {
 public:
  struct Group {
    std::string key;  ///< in the store; the same on its ranks, and of no other group
    int rank = 0, size = 1;
  };

  /// Returns when all ranks of the group are connected.
  /// errors  those of `blame`; CommunicationError (BETATUNE_INFRA) with another rank's reason to
  ///         give up
  NcclChannel(std::shared_ptr<Watcher> watcher, std::chrono::milliseconds timeout,
              at::Device device, const Group& group, const Blame& blame);
  /// Ends what NCCL still does; a rank that is gone does not hold it up for longer than 2 s.
  ~NcclChannel();
  NcclChannel(const NcclChannel&) = delete;
  NcclChannel& operator=(const NcclChannel&) = delete;

  using Enqueue = std::function<ncclResult_t(ncclComm_t, cudaStream_t)>;

  /// Queues an operation behind `ready`. Its work's wait() blocks the caller until the GPU is done:
  /// only then is it known that every rank came.
  ///
  /// tensors  what it reads and writes
  std::shared_ptr<Work> start(const std::shared_ptr<CudaEvent>& ready,
                              std::vector<at::Tensor> tensors, const Enqueue& enqueue, Blame blame);

  /// Ends kernels that wait for other ranks; later calls fail with `reason`.
  void give_up(const std::string& reason);

 private:
  class Queued;

  void connect(const Group& group);
  /// Waits until NCCL has done what it was asked on the host's side.
  void settle(const char* what, ncclResult_t result);
  void wait(const CudaEvent& done);
  void fail_if_others_gave_up();

  std::shared_ptr<Watcher> watcher_;
  std::chrono::milliseconds timeout_;
  at::Device device_;
  ncclComm_t communicator_ = nullptr;
  std::optional<std::string> given_up_;
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace betatune::distributed
