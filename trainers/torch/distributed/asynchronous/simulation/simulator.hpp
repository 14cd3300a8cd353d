#pragma once
/// A discrete-event simulator of a cluster that trains with some strategy: time is virtual, the
/// gradients, the rules and the parameter servers are the real ones. A run is a function of its
/// settings, bit for bit.
///
/// The cluster. Each worker is a group of `group_size` nodes that goes in step. A node needs for
/// a batch's share   (overhead + per_sample * samples) * L,   where L is log-normal with median 1
/// and standard deviation `sigma` of its logarithm; with probability `stall_chance` it also stalls,
/// for a time drawn from an exponential distribution of mean `stall_mean`. A group waits for its
/// slowest node, then all-reduces in 2 log2(nodes) messages and 2 (nodes - 1) / nodes times the
/// model's bytes. A message takes latency + bytes / bandwidth. A server takes requests one after
/// another, in the order of arrival, each for service_latency + bytes / service_rate.

#include <functional>
#include <optional>
#include <string>

#include "trainers/torch/distributed/asynchronous/server_core.hpp"
#include "trainers/torch/distributed/asynchronous/simulation/problem.hpp"

namespace betatune::distributed::asynchronous {

/// Seconds and bytes.
struct ClusterModel {
  double overhead = 0.01, per_sample = 0;
  double sigma = 0;
  double stall_chance = 0, stall_mean = 0;
  double latency = 0, bandwidth = 1e30;
  double service_latency = 0, service_rate = 1e30;
};

struct Fault {
  int worker = 0;
  double from = 0;        ///< seconds
  double slower = 1;      ///< factor on its times from then on; infinity: it is dead
  double noticed = 1e30;  ///< when the servers take it for gone
};

struct SimulationSettings {
  std::string strategy = R"({"strategy": "downpour"})";  ///< as read_strategy() reads it
  int workers = 1;                ///< what the servers see; groups for the hybrid
  int group_size = 1;             ///< nodes of each
  bool sum_in_group = false;      ///< each node computes a gradient of its own share of the batch
  bool server_per_layer = false;  ///< else one server has all
  std::size_t batch = 64;         ///< of a worker
  std::uint64_t updates = 1'000;  ///< ends after so many pushes were taken ...
  double seconds = 1e30;          ///< ... or then ...
  double target_loss = -1;        ///< ... or when the test loss is as low
  std::uint64_t evaluate_every = 0;  ///< pushes between two test losses; 0: at the end alone
  std::uint64_t seed = 1;
  ClusterModel cluster;
  std::vector<Fault> faults;
};

struct SimulationPoint {
  double seconds = 0;
  std::uint64_t updates = 0;
  double test_loss = 0;
};

struct SimulationResult {
  std::vector<SimulationPoint> trace;  ///< the last one is the end
  std::optional<double> reached;       ///< seconds until target_loss
  double seconds = 0;
  std::uint64_t updates = 0;  ///< pushes taken
  double test_loss = 0, test_accuracy = 0;
  double staleness_mean = 0;
  std::uint64_t staleness_max = 0;
  std::vector<std::uint64_t> batches;  ///< by each worker
  Layers centre;
};

/// errors plugin::Failure if the strategy is misconfigured
SimulationResult simulate(const DigitsProblem& problem, const SimulationSettings& settings);

}  // namespace betatune::distributed::asynchronous
