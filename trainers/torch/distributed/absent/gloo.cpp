#include "trainers/torch/distributed/backends.hpp"

namespace betatune::distributed {

const bool kHasGloo = false;

std::unique_ptr<Communicator> make_gloo(const World&) {
  throw CommunicationError(BETATUNE_ERROR,
                           "this build has no gloo: its headers (gloo/algorithm.h; Debian: "
                           "libgloo-dev) were missing when it was configured. On one machine the "
                           "backend shared_memory needs none");
}

}  // namespace betatune::distributed
