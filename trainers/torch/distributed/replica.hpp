#pragma once
/// The model of a gang before its first step: the same on all ranks.

#include <string>
#include <vector>

#include "trainers/torch/distributed/communicator.hpp"
#include "trainers/torch/distributed/strategy.hpp"

namespace betatune::distributed {

/// Ranks with other settings, parameters or buffers would train another model, or wait for ever.
///
/// settings  lines that must be equal
/// errors    CommunicationError that names the line, parameter or buffer, and the rank. Collective
void check_replica(Communicator& communicator, const Replica& replica,
                   const std::vector<std::string>& settings);

/// Every tensor := rank 0's. Collective.
void make_equal(Communicator& communicator,
                const std::vector<std::pair<std::string, at::Tensor>>& tensors);

}  // namespace betatune::distributed
