#pragma once
/// The running trainer: AgentCore between a socket to the optimizer and the worker processes.

#include <optional>
#include <string>

#include "trainers/agent_core.hpp"
#include "trainers/courier.hpp"
#include "transport/key_file.hpp"

namespace betatune {

struct AgentSetup {
  AgentOptions options;
  std::string endpoint;
  std::optional<TrainerKey> key;    ///< for an optimizer that asks for one
  CourierOptions files;             ///< where the study's folder is not seen
  Milliseconds kill_grace{10'000};  ///< from SIGTERM to SIGKILL of a worker
};

/// Until the study ends, the optimizer stays away, or a signal says so: SIGUSR1 finishes what runs;
/// SIGTERM or SIGINT saves what runs and leaves, the second one at once. Returns the exit status.
int run_agent(const AgentSetup& setup);

}  // namespace betatune
