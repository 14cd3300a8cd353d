#include "optimizer/pace.hpp"

namespace betatune {
namespace {

/// Enough for a steady rate, few enough to follow a study whose trials become longer.
constexpr std::size_t kChanges = 100;

}  // namespace

std::int64_t settled_count(const StudyState& state) {
  return state.closed_count() + std::ssize(state.paused);
}

void Pace::note(Clock::time_point now, std::int64_t settled) {
  if (!samples_.empty() && samples_.back().settled == settled) return;
  samples_.push_back({now, settled});
  if (samples_.size() > kChanges) samples_.pop_front();
}

std::optional<double> Pace::trials_per_second(Clock::time_point now) const {
  if (samples_.empty()) return std::nullopt;
  const std::chrono::duration<double> span = now - samples_.front().at;
  const std::int64_t gained = samples_.back().settled - samples_.front().settled;
  if (gained <= 0 || span.count() <= 0) return std::nullopt;
  return static_cast<double>(gained) / span.count();
}

std::optional<double> Pace::seconds_left(Clock::time_point now, std::int64_t total) const {
  const auto rate = trials_per_second(now);
  if (!rate) return std::nullopt;
  const std::int64_t left = total - samples_.back().settled;
  return left <= 0 ? std::nullopt : std::optional(static_cast<double>(left) / *rate);
}

}  // namespace betatune
