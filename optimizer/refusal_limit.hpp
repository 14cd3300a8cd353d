#pragma once
/// A peer that sends what is refused, over and over, is not listened to for a while: what it sends
/// is dropped unread, so that nonsense costs the others next to nothing.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "searchspaces/ids.hpp"
#include "searchspaces/schema.hpp"

namespace betatune {

/// Messages of trainers since this optimizer began that changed nothing.
struct Refused {
  std::map<std::string, std::uint64_t> by_code;  ///< answered by an ERROR
  std::uint64_t unread = 0;                      ///< dropped, of peers that were refused too often
  static constexpr auto fields() {
    return std::tuple{
        Field{"by_code", &Refused::by_code, "answered by an ERROR of that code"},
        Field{"unread", &Refused::unread, "dropped unread, of peers that were refused too often"}};
  }
};

class RefusalLimit {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kPerSecond = 1'000;

  /// A message of this peer was refused. Returns whether this was the one too many.
  bool refused(const PeerId& peer, Clock::time_point now);
  /// Whether the peer is not listened to: until a second after the first refusal that counted.
  bool is_muted(const PeerId& peer, Clock::time_point now);
  /// Forgets peers that have been quiet.
  void forget(Clock::time_point now);

  std::size_t peers() const { return counts_.size(); }

 private:
  struct Count {
    Clock::time_point since;
    int refusals = 0;
  };
  std::unordered_map<PeerId, Count> counts_;
};

}  // namespace betatune
