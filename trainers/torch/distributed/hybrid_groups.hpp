#pragma once
/// The groups of a hybrid training, as one rank sees them. The ranks of a group go in step and have
/// a communicator of their own. All meet through rank 0 at the ends of epochs, and go on there
/// without a group that has died or does not come, unless it is rank 0's.
///
/// All ranks that are left make the same calls, and know after each the same groups to be there.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "trainers/torch/distributed/asynchronous/group_meeting.hpp"
#include "trainers/torch/distributed/communicator.hpp"

namespace betatune::distributed {

/// Who started the ranks. Empty functions: it knows of no groups.
struct GroupHost {
  /// Every rank, before a group may end alone; the group of each rank.
  std::function<void(const std::vector<int>& group_of)> declare;
  /// Rank 0: ends the ranks of a group that was given up.
  std::function<void(int group, const std::string& why)> end;
};

class HybridGroups {
 public:
  struct Options {
    int groups = 1;
    Backend backend = Backend::automatic;
    /// How long a rank may keep its group, or the meeting, waiting.
    std::chrono::milliseconds patience{10'000};
    GroupHost host;
  };

  /// Collective over `gang`, which is of no use once a group has ended.
  HybridGroups(Communicator& gang, Options options);

  int count() const { return options_.groups; }
  int number() const { return group_of(gang_.rank()); }
  Communicator& own() { return *own_; }
  bool is_root() const { return own_->rank() == 0; }
  /// Ranks of rank 0's group, which are the first.
  int first_ranks() const { return static_cast<int>(ranks_of(0).count()); }

  /// Opens the meeting place anew; a group may end alone from here on. Collective over the gang.
  ///
  /// signs  on rank 0: a number that grows while the group is at work
  void open(std::function<std::uint64_t(int group)> signs);
  /// values := sums over the ranks.
  void sum(std::vector<double>& values);
  /// Makes them equal to rank 0's.
  void make_equal(const std::vector<std::pair<std::string, at::Tensor>>& tensors);

  /// Among the ranks that are left.
  int rank() const;
  int size() const;
  int alive() const;
  /// Groups that ended since the last call, in words.
  std::string news();

 private:
  using Present = asynchronous::GroupMeeting::Present;

  Slice ranks_of(int group) const { return slice_of(gang_.size(), group, options_.groups); }
  int group_of(int rank) const;
  void take(const Present& present);

  Communicator& gang_;
  Options options_;
  std::unique_ptr<Communicator> own_;
  std::unique_ptr<asynchronous::GroupMeeting> meeting_;
  asynchronous::MeetingKeeper* keeper_ = nullptr;  ///< meeting_, on rank 0
  Present present_;
  std::string news_;
};

}  // namespace betatune::distributed
