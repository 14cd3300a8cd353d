#pragma once
/// The ranks of one attempt, beside what the trainer itself exchanges: rank 0 leads. It alone talks
/// to the agent; it orders every step of the attempt (set up, load, train, save), so that all ranks
/// do the same with the same arguments, and hands each verdict of a report to all of them, so that
/// stop and pause reach every rank at the same step.
///
/// One packet socket joins rank 0 with each other rank. Packets, each a JSON object:
///   rank 0 -> others   {"order": "train", "until": 9, "folder": ""}
///                      {"step": 3, "verdict": 0}    the answer to report() of step 3
///                      {"returned": "train"}        rank 0 is done with the order
///   others -> rank 0   {"did": "train"}
///
/// Where the trainer says that the ranks form groups (rank_groups.h), a group that rank 0 is not in
/// may end alone. A line to the fork server tells it of them, and of those not to be waited for:
///   rank 0 -> fork server   {"groups": [0, 0, 1, 1]}         the group of each rank
///                           {"end": 1, "why": "..."}
///
/// Nothing here notices that a rank has died: the fork server does, and ends the whole gang, or its
/// group.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "searchspaces/ids.hpp"
#include "searchspaces/result.hpp"
#include "trainers/posix.hpp"

namespace betatune {

struct GangOrder {
  enum class What { setup, load, train, save };
  What what = What::setup;
  std::string folder;  ///< of load and save
  Step until = 0;      ///< of train
};

/// Rank 0's side. With no links, of a trial of one rank, every call does nothing.
class GangLeader {
 public:
  /// links        descriptors to rank 1, 2, ...
  /// groups_line  descriptor to the fork server
  GangLeader(std::vector<int> links, int groups_line)
      : links_(std::move(links)), groups_line_(groups_line), gone_(links_.size(), false) {}

  void order(const GangOrder& order);
  /// Until every rank has done the last order, `patience` after this call at the latest; a group
  /// that may end alone is ended if one of its ranks has not. Errors: unavailable, naming the rank
  /// that is late or gone.
  Status await(std::chrono::milliseconds patience);
  /// What report() of `step` answers on every rank.
  void answer(Step step, int verdict);

  /// group_of  the group of each rank. Errors: invalid_argument for another number of ranks.
  Status declare_groups(std::vector<int> group_of);
  /// Has the ranks of a group that may end alone ended, and waits until they are gone.
  void end_group(int group, const std::string& why);

 private:
  void tell(const std::string& packet);
  Status await_rank(std::size_t index, std::chrono::milliseconds until) const;
  bool may_end_alone(int group) const;
  bool all_gone(int group, std::chrono::milliseconds within);

  std::vector<int> links_;
  int groups_line_;
  std::vector<int> group_of_;  ///< of each rank; empty: none may end alone
  std::vector<bool> gone_;     ///< of each link: its rank has ended, and with it its group alone
  GangOrder::What ordered_ = GangOrder::What::setup;
};

/// The side of rank 1, 2, ...
class GangFollower {
 public:
  explicit GangFollower(int link) : link_(link) {}

  /// The next order. The end of rank 0 ends this process: then this does not return. Errors:
  /// invalid_argument if rank 0 reported where this rank did not.
  Result<GangOrder> next();
  void did(GangOrder::What what);
  /// Blocks until rank 0 reports too, or ends, as next(). Errors: invalid_argument if the two are
  /// not at one step.
  Result<int> verdict(Step step);

 private:
  [[noreturn]] static void await_end();

  int link_;
};

}  // namespace betatune
