#include "optimizer/refusal_limit.hpp"

namespace betatune {
namespace {

constexpr std::chrono::seconds kWindow{1};

}  // namespace

bool RefusalLimit::refused(const PeerId& peer, Clock::time_point now) {
  Count& count = counts_.try_emplace(peer, Count{now, 0}).first->second;
  if (now - count.since >= kWindow) count = {now, 0};
  return ++count.refusals == kPerSecond;
}

bool RefusalLimit::is_muted(const PeerId& peer, Clock::time_point now) {
  if (counts_.empty()) return false;
  const auto found = counts_.find(peer);
  if (found == counts_.end()) return false;
  return now - found->second.since < kWindow && found->second.refusals >= kPerSecond;
}

void RefusalLimit::forget(Clock::time_point now) {
  std::erase_if(counts_, [&](const auto& each) { return now - each.second.since >= kWindow; });
}

}  // namespace betatune
