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

/// What came of trainers, or went to them, in vain since this optimizer began.
struct Refused {
  std::map<std::string, std::uint64_t> by_code;  ///< answered by an ERROR
  std::uint64_t unread = 0;                      ///< dropped, of peers that were refused too often
  std::uint64_t turned_away = 0;                 ///< connections, before a word was said
  std::uint64_t parts = 0;                       ///< of files, dropped: too many waited
  std::uint64_t unsent = 0;                      ///< dropped: their trainer does not read
  static constexpr auto fields() {
    return std::tuple{
        Field{"by_code", &Refused::by_code, "answered by an ERROR of that code"},
        Field{"unread", &Refused::unread, "dropped unread, of peers that were refused too often"},
        defaulted("turned_away", &Refused::turned_away,
                  "connections with a key that is not allowed"),
        defaulted("parts", &Refused::parts, "parts of files dropped, because too many waited"),
        defaulted("unsent", &Refused::unsent, "messages dropped, of peers that do not read")};
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
