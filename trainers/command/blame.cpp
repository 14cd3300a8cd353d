#include "trainers/command/blame.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include "trainers/failures.hpp"

namespace betatune {
namespace {

constexpr std::int64_t kSettleMs = 200;
// Not SIGABRT, by which an exception ends a program: "connection closed by peer".
constexpr std::array kNoReactions{SIGKILL, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

}  // namespace

void Blame::ended(int rank, int status, std::int64_t now_ms) {
  first_.push_back(rank);
  const bool struck = std::ranges::find(kNoReactions, ending_signal(status)) != kNoReactions.end();
  if (!struck_ && struck) struck_ = rank;
  if (!first_end_ms_) first_end_ms_ = now_ms;
}

bool Blame::is_settled(std::int64_t now_ms) const {
  return struck_ || (first_end_ms_ && now_ms - *first_end_ms_ >= kSettleMs);
}

std::optional<int> Blame::rank() const {
  if (struck_) return struck_;
  if (first_.empty()) return std::nullopt;
  return first_.front();
}

}  // namespace betatune
