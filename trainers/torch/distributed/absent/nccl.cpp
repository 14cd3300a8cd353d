#include "trainers/torch/distributed/backends.hpp"

namespace betatune::distributed {

const bool kHasNccl = false;

std::unique_ptr<Communicator> make_nccl(const World&) {
  throw CommunicationError(
      BETATUNE_ERROR,
      "this build has no nccl: configure it with BETATUNE_WITH_CUDA, a libtorch "
      "with CUDA, and nccl.h");
}

}  // namespace betatune::distributed
