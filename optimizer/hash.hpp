#pragma once
/// A running 64-bit hash, the same on every machine and in every build (std::hash is neither), for
/// comparing states and configurations. Not for adversaries.

#include <bit>
#include <cstdint>
#include <string_view>

#include "searchspaces/value.hpp"

namespace betatune {

class Hasher {
 public:
  /// Mixes in one word by the finalizer of splitmix64.
  Hasher& add(std::uint64_t word) {
    std::uint64_t z = hash_ + 0x9e3779b97f4a7c15u + word;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    hash_ = z ^ (z >> 31);
    return *this;
  }
  Hasher& add(std::int64_t number) { return add(static_cast<std::uint64_t>(number)); }
  /// -0.0 and 0.0 are the same number and hash alike.
  Hasher& add(double number) {
    return add(std::bit_cast<std::uint64_t>(number == 0 ? 0.0 : number));
  }
  Hasher& add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    std::uint64_t word = 0;
    int filled = 0;
    for (const char c : text) {
      word = (word << 8) | static_cast<unsigned char>(c);
      if (++filled == 8) {
        add(word);
        word = 0;
        filled = 0;
      }
    }
    return filled == 0 ? *this : add(word);
  }
  Hasher& add(const Value& value) {
    add(static_cast<std::uint64_t>(value.index()));
    if (const auto* flag = std::get_if<bool>(&value)) return add(std::uint64_t{*flag ? 1u : 0u});
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return add(*integer);
    if (const auto* number = std::get_if<double>(&value)) return add(*number);
    return add(std::string_view(std::get<std::string>(value)));
  }
  Hasher& add(const Configuration& configuration) {
    add(static_cast<std::uint64_t>(configuration.size()));
    for (const auto& [name, value] : configuration) add(std::string_view(name)).add(value);
    return *this;
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0;
};

}  // namespace betatune
