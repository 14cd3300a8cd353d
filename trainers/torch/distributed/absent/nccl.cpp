#include "trainers/torch/distributed/backends.hpp"

namespace betatune::distributed {

const bool kHasNccl = false;

std::unique_ptr<Communicator> make_nccl(const World&) {
  throw CommunicationError(
      BETATUNE_ERROR,
      "this build has no nccl, which ranks on GPUs need: configure it with "
      "BETATUNE_WITH_CUDA, a libtorch with CUDA, and nccl.h; or train on CPUs (gpus: 0)");
}

}  // namespace betatune::distributed
