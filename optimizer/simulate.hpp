#pragma once
/// Deterministic simulation: the real coordinator, policies and a store, among trainers and a
/// network that fail in every way that BTP/1 must survive, on a virtual clock. One seed is one run,
/// bit for bit; fault rates, the study and its trainers are drawn from it (swarm testing). What
/// must hold is checked by code of its own (simulation/checks.hpp), never by the code under test.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/event.hpp"

namespace betatune {

/// Bugs put in on purpose, to show that the checks would see them.
enum class Mutation {
  none,
  no_dedup,
  no_fence,
  send_before_append,
  no_reconcile,
  unsynced_store,
  early_checkpoint,  ///< reported before its files have arrived
  trusted_files      ///< what arrives is not compared with its digests
};
constexpr auto enum_names(Mutation) {
  using enum Mutation;
  return std::array{EnumName<Mutation>{none, "none"},
                    EnumName<Mutation>{no_dedup, "no_dedup"},
                    EnumName<Mutation>{no_fence, "no_fence"},
                    EnumName<Mutation>{send_before_append, "send_before_append"},
                    EnumName<Mutation>{no_reconcile, "no_reconcile"},
                    EnumName<Mutation>{unsynced_store, "unsynced_store"},
                    EnumName<Mutation>{early_checkpoint, "early_checkpoint"},
                    EnumName<Mutation>{trusted_files, "trusted_files"}};
}

struct SimulationOptions {
  std::uint64_t seed = 0;
  Mutation mutation = Mutation::none;
  std::optional<std::string> scheduler;  ///< by name; drawn from the seed if not given
  /// So many trainers, and twice as many trials; 0: both are drawn, and few.
  std::size_t trainers = 0;
};

struct SimulationResult {
  std::uint64_t seed = 0;
  std::string setup;                    ///< what was drawn, for people
  std::vector<std::string> violations;  ///< empty: every invariant held
  std::string finished;                 ///< why the study ended
  std::size_t events = 0;               ///< length of its log
  std::size_t trials = 0;
  std::size_t restarts = 0;  ///< of the optimizer
  std::size_t lost = 0;      ///< attempts that ended as lost
  /// Checkpoints whose files have arrived at the optimizer, or at a trainer that goes on from one.
  std::size_t travelled = 0;
  double virtual_seconds = 0;
  std::vector<Event> log;
  std::uint64_t log_hash = 0;  ///< over every byte of the log: equal seeds, equal hashes
};

SimulationResult simulate(const SimulationOptions& options);

}  // namespace betatune
