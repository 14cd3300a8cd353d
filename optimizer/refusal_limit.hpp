#pragma once
/// A peer that sends what is refused, over and over, is not listened to for a while and loses its
/// connection: what has arrived is dropped unread, so that nonsense costs the others next to
/// nothing. A limit on all peers together stands against one that comes again under another name.

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
  static constexpr int kOfAllPerSecond = 4'000;

  /// A message of this peer was refused. Returns whether this was the one too many: the thousandth
  /// of this peer, or any beyond four thousand of all.
  bool refused(const PeerId& peer, Clock::time_point now);
  /// Whether the peer is not listened to: until a second after the first refusal that counted.
  bool is_muted(const PeerId& peer, Clock::time_point now);
  /// Whether the connection of a muted peer, which has sent yet another message, is to be ended:
  /// true once.
  bool ends(const PeerId& peer);
  /// Forgets peers that have been quiet.
  void forget(Clock::time_point now);

  std::size_t peers() const { return counts_.size(); }

 private:
  struct Count {
    Clock::time_point since;
    int refusals = 0;
    bool muted = false, ended = false;
  };
  Count of_all_;
  std::unordered_map<PeerId, Count> counts_;
};

}  // namespace betatune
