#pragma once
/// Time, chance and the network of a simulation.

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <vector>

#include "optimizer/coordinator.hpp"
#include "searchspaces/random.hpp"

namespace betatune::simulation {

/// Events in order of (time, order of scheduling): the same run for the same seed.
class Clock {
 public:
  Monotonic now() const { return now_; }
  void at(Monotonic when, std::function<void()> action);
  void after(Monotonic delay, std::function<void()> action) { at(now_ + delay, std::move(action)); }
  /// Runs the next event; false if there is none.
  bool step();

 private:
  struct Entry {
    Monotonic when;
    std::uint64_t count;
    std::function<void()> action;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.when != b.when ? a.when > b.when : a.count > b.count;
    }
  };
  Monotonic now_{0};
  std::uint64_t count_ = 0;
  std::priority_queue<Entry, std::vector<Entry>, Later> queue_;
};

/// How often what goes wrong. Each is zero, small or three times that, so that runs differ in kind.
struct FaultRates {
  double drop = 0, duplicate = 0, slow = 0;   ///< per message
  double partition = 0;                       ///< per beat of a trainer
  double trainer_crash = 0, hang = 0;         ///< per beat of a trainer
  double server_crash = 0, append_fails = 0;  ///< per turn of the optimizer
  double torn_append = 0;                     ///< of the crashes: only the first facts are kept
  double fail = 0, diverge = 0;               ///< per attempt
  double damage = 0;                          ///< per attempt that goes on from a checkpoint
  double spoil = 0;                           ///< per part of a file
  double user = 0;                            ///< per second: enqueue, stop, drain
};
FaultRates draw_rates(Stream& random);

/// What the parts of a simulation share.
struct World {
  explicit World(std::uint64_t seed);

  Clock clock;
  Stream random;
  FaultRates rates;
  /// Faults happen before this time only: afterwards every study must come to its end.
  Monotonic calm = std::chrono::seconds(240);
  std::uint64_t serial = 0;  ///< one number per report ever made

  bool chance(double probability) { return clock.now() < calm && random.uniform() < probability; }
  Monotonic delay(double least_s, double most_s);
  /// Changes a bit of these bytes.
  void spoil(std::string& bytes);
};

/// Carries messages late, twice, in another order, or not at all.
class Network {
 public:
  explicit Network(World& world) : world_(world) {}
  /// `link` names the trainer whose connection it is.
  void carry(const TrainerId& link, const std::function<void()>& deliver);
  void cut(const TrainerId& link, Monotonic for_so_long);

 private:
  World& world_;
  std::map<TrainerId, Monotonic> cut_until_;
};

}  // namespace betatune::simulation
