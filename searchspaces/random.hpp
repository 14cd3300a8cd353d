#pragma once
/// Counter-based randomness: every draw is a function of (key, counter), so it can be replayed, and
/// a longer history changes no draw already keyed.
///
/// Keys form a tree from the study's seed: fold_in(fold_in(root_key(seed), "plan"), n).
/// Philox 4x32-10 (Salmon et al., SC'11); own uniform and normal, because the standard library's
/// distributions differ between vendors.

#include <cstdint>
#include <string_view>
#include <vector>

namespace betatune {

struct Key {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  bool operator==(const Key&) const = default;
};

Key root_key(std::uint64_t seed);
Key fold_in(Key key, std::uint64_t n);
Key fold_in(Key key, std::string_view purpose);

/// A sequence of draws under one key. Copyable; a copy continues from the same place.
class Stream {
 public:
  explicit Stream(Key key) : key_(key) {}

  std::uint64_t bits();
  /// In [0, 1), 53 bits.
  double uniform();
  /// Standard normal, by Box-Muller with our own arrangement: two uniforms per draw.
  double normal();
  /// Uniform in [0, n) without modulo bias. Precondition: n > 0.
  std::uint64_t below(std::uint64_t n);
  /// Fisher-Yates permutation of 0 .. n-1.
  std::vector<std::size_t> permutation(std::size_t n);

 private:
  Key key_;
  std::uint64_t counter_ = 0;
  std::uint64_t spare_ = 0;
  bool has_spare_ = false;
};

/// One Philox 4x32-10 block, exposed for its known-answer test.
struct PhiloxBlock {
  std::uint32_t word[4];
};
PhiloxBlock philox4x32_10(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1);

}  // namespace betatune
