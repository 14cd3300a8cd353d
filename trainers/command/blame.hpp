#pragma once
/// Which of a command's processes made the others fail.
///
/// When one dies, the others see a closed connection and fail too, within milliseconds. The first
/// that failed is to blame; but nobody reacts by SIGKILL or SIGSEGV, so one that such a signal
/// ended is to blame whenever its end is seen. Those that end at nearly the same time are waited
/// for.

#include <cstdint>
#include <optional>
#include <vector>

namespace betatune {

class Blame {
 public:
  /// The rank failed in its own words; it may not have ended yet.
  void said_so(int rank) { first_.push_back(rank); }
  /// It has ended, and not in success. `status` as of waitpid.
  void ended(int rank, int status, std::int64_t now_ms);

  /// Whether a rank has ended so, and what made it do so would have been seen by now.
  bool is_settled(std::int64_t now_ms) const;
  /// Nothing where all is well so far.
  std::optional<int> rank() const;

 private:
  std::vector<int> first_;     ///< ranks by their first sign of failure
  std::optional<int> struck_;  ///< the first that a signal ended which is no reaction
  std::optional<std::int64_t> first_end_ms_;
};

}  // namespace betatune
