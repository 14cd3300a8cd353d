#include "trainers/torch/distributed/tuning.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

namespace betatune::distributed {
namespace {

constexpr double kWorthIt = 0.99;  ///< of a time: what is not less is noise
constexpr std::size_t kDuels = 3;  ///< between the best and the start
constexpr std::size_t kWalkScores = kTuningScores - 2 * kDuels;

/// A limit as it is, times 2 to the power of -6 to 6.
constexpr int kFarthest = 6;
constexpr std::size_t kLeastBytes = 64 << 10, kMostBytes = std::size_t{1} << 30;  ///< of the search

enum Axis : std::size_t { bucket, first_bucket, piece, kAxes };
/// Powers of two by which each knob differs from the start.
using Point = std::array<int, kAxes>;

std::optional<std::size_t> scaled(std::size_t bytes, int power) {
  if (power == 0) return bytes;
  if (std::abs(power) > kFarthest) return std::nullopt;
  const std::size_t result = power > 0 ? bytes << power : bytes >> -power;
  if (result < std::min(bytes, kLeastBytes) || result > std::max(bytes, kMostBytes)) {
    return std::nullopt;
  }
  return result;
}

class Walk {
 public:
  Walk(const TuningSpace& space, const std::vector<double>& seconds)
      : space_(space), seconds_(seconds) {}

  Tuning run() {
    const Point start{};
    if (const auto time = score(start)) {
      best_ = *time;
      if (walk(4) && walk(2)) duel();
    }
    return {next_, *knobs(at_), speed_up_};
  }

 private:
  /// Empty beyond the edges.
  std::optional<Knobs> knobs(const Point& p) const {
    const auto bytes = scaled(space_.start.buckets.bytes, p[bucket]);
    const auto first = scaled(space_.start.buckets.first_bytes, p[first_bucket]);
    auto size = std::optional<std::size_t>(space_.start.piece_bytes);
    if (p[piece] != 0) {
      size = scaled(space_.start.piece_bytes, p[piece]);
      const auto& known = space_.pieces;
      if (!size || std::find(known.begin(), known.end(), *size) == known.end()) return std::nullopt;
    }
    if (!bytes || !first) return std::nullopt;
    return Knobs{{*first, *bytes}, *size};
  }

  /// What the knobs come to.
  using Effect = std::pair<std::vector<std::vector<std::size_t>>, std::size_t>;
  Effect effect(const Knobs& k) const {
    const auto order = reverse_order(space_.gradients.size());
    return {assign_buckets(space_.gradients, order, k.buckets), k.piece_bytes};
  }

  /// The next score that was handed in; empty, and next_ set, if there is none yet.
  std::optional<double> take(const Knobs& k) {
    if (taken_ < seconds_.size()) return seconds_[taken_++];
    next_ = k;
    return std::nullopt;
  }

  std::optional<double> score(const Point& p) {
    const Knobs k = *knobs(p);
    const Effect e = effect(k);
    const auto found = known_.find(e);
    if (found != known_.end()) return found->second;
    const auto time = take(k);
    if (time) known_.emplace(e, *time);
    return time;
  }

  /// The next point in this direction that differs in its effect.
  std::optional<Point> beyond(Axis axis, int stride) const {
    Point p = at_;
    const Effect here = effect(*knobs(at_));
    for (p[axis] += stride;; p[axis] += stride > 0 ? 1 : -1) {
      const auto k = knobs(p);
      if (!k) return std::nullopt;
      if (effect(*k) != here) return p;
    }
  }

  /// Goes on while it gets better. False: a score is missing.
  bool line(Axis axis, int stride, bool& moved) {
    for (;;) {
      const auto p = beyond(axis, stride);
      if (!p || (taken_ >= kWalkScores && known_.count(effect(*knobs(*p))) == 0)) return true;
      const auto time = score(*p);
      if (!time) return false;
      if (*time >= kWorthIt * best_) return true;
      at_ = *p;
      best_ = *time;
      moved = true;
    }
  }

  /// factor  4 or 2
  bool walk(int factor) {
    const int stride = factor == 4 ? 2 : 1;
    for (bool moved = true; moved;) {
      moved = false;
      for (const Axis axis : {bucket, first_bucket, piece}) {
        bool here = false;
        if (!line(axis, stride, here)) return false;
        if (!here && !line(axis, -stride, here)) return false;
        moved = moved || here;
      }
    }
    return true;
  }

  void duel() {
    if (at_ == Point{}) return;
    std::array<double, kDuels> of_best{}, of_start{};
    for (std::size_t i = 0; i < kDuels; ++i) {
      const auto a = take(*knobs(at_));
      if (!a) return;
      const auto b = take(space_.start);
      if (!b) return;
      of_best[i] = *a;
      of_start[i] = *b;
    }
    std::sort(of_best.begin(), of_best.end());
    std::sort(of_start.begin(), of_start.end());
    const double mine = of_best[kDuels / 2], other = of_start[kDuels / 2];
    if (mine < kWorthIt * other) {
      speed_up_ = other / mine;
    } else {
      at_ = {};
    }
  }

  const TuningSpace& space_;
  const std::vector<double>& seconds_;
  std::size_t taken_ = 0;
  std::map<Effect, double> known_;
  Point at_{};
  double best_ = 0, speed_up_ = 1;
  std::optional<Knobs> next_;
};

}  // namespace

Tuning tune(const TuningSpace& space, const std::vector<double>& seconds) {
  return Walk(space, seconds).run();
}

}  // namespace betatune::distributed
