#include "optimizer/refusal_limit.hpp"

#include <utility>

namespace betatune {
namespace {

constexpr std::chrono::seconds kWindow{1};

}  // namespace

bool RefusalLimit::refused(const PeerId& peer, Clock::time_point now) {
  Count& count = counts_.try_emplace(peer, Count{now}).first->second;
  for (Count* each : {&count, &of_all_}) {
    if (now - each->since >= kWindow) *each = Count{now};
    ++each->refusals;
  }
  if (count.muted) return false;
  count.muted = count.refusals >= kPerSecond || of_all_.refusals > kOfAllPerSecond;
  return count.muted;
}

bool RefusalLimit::is_muted(const PeerId& peer, Clock::time_point now) {
  if (counts_.empty()) return false;
  const auto found = counts_.find(peer);
  if (found == counts_.end()) return false;
  return found->second.muted && now - found->second.since < kWindow;
}

bool RefusalLimit::ends(const PeerId& peer) {
  const auto found = counts_.find(peer);
  return found != counts_.end() && found->second.muted && !std::exchange(found->second.ended, true);
}

void RefusalLimit::forget(Clock::time_point now) {
  std::erase_if(counts_, [&](const auto& each) { return now - each.second.since >= kWindow; });
}

}  // namespace betatune
