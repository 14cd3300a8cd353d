#include "searchspaces/random.hpp"

#include <cmath>
#include <numbers>
#include <utility>

#include "searchspaces/result.hpp"

namespace betatune {

namespace {

// Folding and drawing use the same block function; these keep their inputs apart, so that no child
// key is ever a draw of its parent.
constexpr std::uint64_t kFoldNumber = 0x6e756d6265720000;
constexpr std::uint64_t kFoldPurpose = 0x707572706f736500;

std::uint32_t low(std::uint64_t n) {
  return static_cast<std::uint32_t>(n);
}
std::uint32_t high(std::uint64_t n) {
  return static_cast<std::uint32_t>(n >> 32);
}
std::uint64_t join(std::uint32_t lower, std::uint32_t upper) {
  return static_cast<std::uint64_t>(upper) << 32 | lower;
}

/// The 128 bits of a key do not fit Philox's 64-bit key: its upper half takes half of the counter.
PhiloxBlock block(Key key, std::uint64_t counter) {
  return philox4x32_10({{low(counter), high(counter), low(key.hi), high(key.hi)}}, low(key.lo),
                       high(key.lo));
}

Key fold(Key key, std::uint64_t n, std::uint64_t domain) {
  key.lo ^= domain;
  const PhiloxBlock out = block(key, n);
  return {join(out.word[2], out.word[3]), join(out.word[0], out.word[1])};
}

}  // namespace

PhiloxBlock philox4x32_10(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53;
  constexpr std::uint64_t kMultiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  auto& c = counter.word;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = kMultiplier0 * c[0];
    const std::uint64_t product1 = kMultiplier1 * c[2];
    counter = {
        {high(product1) ^ c[1] ^ key0, low(product1), high(product0) ^ c[3] ^ key1, low(product0)}};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  return counter;
}

Key root_key(std::uint64_t seed) {
  return fold(Key{}, seed, kFoldNumber);
}

Key fold_in(Key key, std::uint64_t n) {
  return fold(key, n, kFoldNumber);
}

Key fold_in(Key key, std::string_view purpose) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, 64 bits
  for (const char c : purpose) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return fold(key, hash, kFoldPurpose);
}

std::uint64_t Stream::bits() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const PhiloxBlock out = block(key_, counter_++);
  spare_ = join(out.word[2], out.word[3]);
  has_spare_ = true;
  return join(out.word[0], out.word[1]);
}

double Stream::uniform() {
  return static_cast<double>(bits() >> 11) * 0x1p-53;
}

double Stream::normal() {
  // 1 - u is in (0, 1], so that the logarithm is finite.
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::uint64_t Stream::below(std::uint64_t n) {
  BETATUNE_ASSERT(n > 0);
  const std::uint64_t biased =
      (0 - n) % n;  // 2^64 mod n: draws below it would make low values likelier
  std::uint64_t draw = bits();
  while (draw < biased) draw = bits();
  return draw % n;
}

std::vector<std::size_t> Stream::permutation(std::size_t n) {
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) order[i] = i;
  for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
  return order;
}

}  // namespace betatune
