#include "optimizer/roster.hpp"

namespace betatune {

TrainerEntry& Roster::join(TrainerEntry entry) {
  leave(entry.id);
  // A routing id belongs to one connection; should another trainer speak through it now, the
  // earlier one is gone.
  if (const TrainerEntry* before = by_peer(entry.peer)) leave(TrainerId(before->id));
  peers_[entry.peer] = entry.id;
  slots_ += entry.slots;
  const TrainerId id = entry.id;
  return trainers_[id] = std::move(entry);
}

void Roster::leave(const TrainerId& id) {
  const auto found = trainers_.find(id);
  if (found == trainers_.end()) return;
  peers_.erase(found->second.peer);
  slots_ -= found->second.slots;
  trainers_.erase(found);
}

TrainerEntry* Roster::find(const TrainerId& id) {
  const auto found = trainers_.find(id);
  return found == trainers_.end() ? nullptr : &found->second;
}

TrainerEntry* Roster::by_peer(const PeerId& peer) {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : find(found->second);
}

}  // namespace betatune
