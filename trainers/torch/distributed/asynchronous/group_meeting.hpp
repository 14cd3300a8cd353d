#pragma once
/// Where the ranks of a hybrid training meet at the end of an epoch: rank 0 keeps the place and
/// takes part itself, all others go there. Their groups may be early or late, but a group of which
/// a rank has died, or does not come though nobody has heard of its group for long, is given up:
/// the meeting is over without it, and so are all later ones. It is an error of the rest if that is
/// rank 0's own group.
///
///   rank -> keeper    rank u64 | 0 u64                         once, first
///   rank -> keeper    meeting u64 | bytes u64 | its numbers (none where the keeper shares)
///   keeper -> rank    meeting u64 | bytes u64 | the answer | of each group a byte: 1, it was there
///
/// Calls are made by every rank, in the same order, from one thread.

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/sockets.hpp"

namespace betatune::distributed::asynchronous {

class GroupMeeting {
 public:
  /// Which groups were at the last meeting.
  using Present = std::vector<bool>;

  virtual ~GroupMeeting() = default;
  /// values := sums over the ranks of the groups that are there, in the order of ranks.
  virtual Present sum(std::vector<double>& values) = 0;
  /// bytes := rank 0's.
  virtual Present share(std::span<std::byte> bytes) = 0;
};

class MeetingKeeper : public GroupMeeting {
 public:
  struct Settings {
    std::string address;
    std::vector<int> group_of;  ///< of each rank
    /// How long the others may come later than the keeper and than the last sign of their group.
    std::chrono::milliseconds patience{10'000};
    /// A number that grows while the group is at work.
    std::function<std::uint64_t(int group)> signs;
  };
  struct Lost {
    int group = 0;
    std::string why;
  };

  explicit MeetingKeeper(Settings settings);
  const std::string& address() const { return listener_.address; }
  /// Until all are there for the first time.
  /// errors of all calls: plugin::Failure (BETATUNE_INFRA), naming the rank
  void admit(std::chrono::milliseconds within);

  Present sum(std::vector<double>& values) override;
  Present share(std::span<std::byte> bytes) override;
  /// The groups that were given up since the last call.
  std::vector<Lost> take_lost();

 private:
  void collect(std::size_t bytes);
  void take(int rank, std::size_t bytes);
  void look_for_the_late(const std::vector<int>& awaited);
  void answer(std::span<const std::byte> bytes, const Present& present);
  void give_up(int rank, const std::string& why);
  int ranks() const { return static_cast<int>(settings_.group_of.size()); }
  int group_of(int rank) const { return settings_.group_of[static_cast<std::size_t>(rank)]; }
  Present present() const;

  struct Sign {
    std::uint64_t number = 0;
    SteadyClock::time_point seen{};
  };

  Settings settings_;
  Listener listener_;
  std::vector<Socket> sockets_;             ///< of each rank; closed: given up, or the keeper's own
  std::vector<std::vector<double>> given_;  ///< by each rank, to this meeting
  std::vector<Sign> signs_;                 ///< of each group
  std::vector<Lost> lost_;
  std::uint64_t meeting_ = 0;
};

class MeetingGuest : public GroupMeeting {
 public:
  struct Settings {
    std::string address;
    int rank = 1;
    int groups = 1;
    std::chrono::milliseconds patience{3'600'000};  ///< until the last group has come
  };

  /// Connects. errors of all calls: plugin::Failure (BETATUNE_INFRA)
  explicit MeetingGuest(Settings settings);
  Present sum(std::vector<double>& values) override;
  Present share(std::span<std::byte> bytes) override;

 private:
  Present meet(std::span<const std::byte> mine, std::span<std::byte> answer);
  [[noreturn]] void fail(const std::string& problem) const;

  Settings settings_;
  Socket socket_;
  std::uint64_t meeting_ = 0;
};

}  // namespace betatune::distributed::asynchronous
