#pragma once
/// Trainers that are connected now, their slots and their leases. Volatile: rebuilt from HELLO and
/// BEAT after a restart, kept apart from the study so that many studies can share one roster later.

#include <chrono>
#include <map>
#include <string>

#include "searchspaces/ids.hpp"

namespace betatune {

struct TrainerEntry {
  TrainerId id;
  PeerId peer;  ///< of its present session
  std::string session;
  int slots = 1;
  int credit = 0;                     ///< assignments it can take now
  bool leaving = false;               ///< said BYE: gets no more work
  std::chrono::microseconds seen{0};  ///< last message, monotonic
};

class Roster {
 public:
  TrainerEntry& join(TrainerEntry entry);  ///< a new session replaces the trainer's old one
  void leave(const TrainerId& id);
  TrainerEntry* find(const TrainerId& id);
  TrainerEntry* by_peer(const PeerId& peer);
  bool knows(const PeerId& peer) const { return peers_.contains(peer); }
  const std::map<TrainerId, TrainerEntry>& all() const { return trainers_; }
  /// Of all trainers together.
  int slots() const { return slots_; }

 private:
  std::map<TrainerId, TrainerEntry> trainers_;
  std::map<PeerId, TrainerId> peers_;
  int slots_ = 0;
};

}  // namespace betatune
