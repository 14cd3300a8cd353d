#pragma once
/// Keys for everything random in a training. Each use has a key made from the trial's seed and the
/// epoch, so nothing random has to be saved for an exact resume. Standard library only: this folder
/// builds without the rest of Betatune.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace betatune::engine {

/// SplitMix64's finalizer (Steele et al., OOPSLA 2014): a bijection that spreads every bit.
constexpr std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// What a key is for; part of the key, so that uses never share draws.
enum class Purpose : std::uint64_t {
  split = 1,
  weights = 2,
  order = 3,
  dropout = 4,
  rank = 5,
  events = 6
};

constexpr std::uint64_t derive_key(std::uint64_t seed, Purpose purpose, std::uint64_t n = 0) {
  return scramble(scramble(scramble(seed) + static_cast<std::uint64_t>(purpose)) + n);
}

/// Permutation of 0 .. count-1 (Fisher-Yates; bounded draws by Lemire's multiplication, whose bias
/// of count / 2^64 is of no account here).
inline std::vector<std::int64_t> permutation(std::size_t count, std::uint64_t key) {
  std::vector<std::int64_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = static_cast<std::int64_t>(i);
  for (std::size_t i = count; i > 1; --i) {
    const std::uint64_t bits = scramble(key + i);
    __extension__ using Wide = unsigned __int128;
    const auto j = static_cast<std::size_t>((static_cast<Wide>(bits) * i) >> 64);
    std::swap(order[i - 1], order[j]);
  }
  return order;
}

/// Draws one after another from a key: SplitMix64's sequence, for whatever is generated. Equal keys
/// give equal draws, whatever else is drawn elsewhere and in whichever order.
class Stream {
 public:
  explicit Stream(std::uint64_t key) : state_(key) {}

  std::uint64_t bits() {
    const std::uint64_t drawn = scramble(state_);
    state_ += 0x9e3779b97f4a7c15u;
    return drawn;
  }
  /// In (0, 1), both ends excluded.
  double uniform() { return (static_cast<double>(bits() >> 11) + 0.5) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }
  /// Box and Muller's, of which one is used: no state but the counter.
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }
  double exponential(double mean) { return -mean * std::log(uniform()); }
  /// Knuth's; for means of a few dozen at most.
  int poisson(double mean) {
    int count = 0;
    for (double product = uniform(); product > std::exp(-mean); product *= uniform()) ++count;
    return count;
  }

 private:
  std::uint64_t state_;
};

}  // namespace betatune::engine
