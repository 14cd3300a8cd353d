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
/// Nothing here notices that a rank has died: the fork server does, and ends the whole gang.

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
  /// links   descriptors to rank 1, 2, ...
  explicit GangLeader(std::vector<int> links) : links_(std::move(links)) {}

  void order(const GangOrder& order);
  /// Until every rank has done the last order, `patience` after this call at the latest. Errors:
  /// unavailable, naming the rank that is late or gone.
  Status await(std::chrono::milliseconds patience);
  /// What report() of `step` answers on every rank.
  void answer(Step step, int verdict);

 private:
  void tell(const std::string& packet);
  Status await_rank(std::size_t index, std::chrono::milliseconds until) const;

  std::vector<int> links_;
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
