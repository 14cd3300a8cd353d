#include "trainers/torch/distributed/elements.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <type_traits>

namespace betatune::distributed {
namespace {

constexpr std::size_t kBlock = 1024;  ///< elements; their sums stay in the first-level cache

/// How an element type is stored, and what it is computed in.
template <class T>
struct Plain {
  using Stored = T;
  using Computed = T;
  static T read(T value) { return value; }
  static T write(T value) { return value; }
};
struct Half {
  using Stored = std::uint16_t;
  using Computed = float;
  static float read(std::uint16_t bits) { return from_half(bits); }
  static std::uint16_t write(float value) { return to_half(value); }
};
struct Bfloat16 {
  using Stored = std::uint16_t;
  using Computed = float;
  static float read(std::uint16_t bits) { return from_bfloat16(bits); }
  static std::uint16_t write(float value) { return to_bfloat16(value); }
};

template <class F, class Combine>
void reduce_as(const std::vector<const std::byte*>& inputs, std::byte* out, std::size_t count,
               typename F::Computed factor, Combine combine) {
  using Stored = typename F::Stored;
  std::array<typename F::Computed, kBlock> sums;
  auto* results = reinterpret_cast<Stored*>(out);
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t n = std::min(kBlock, count - begin);
    const auto* first = reinterpret_cast<const Stored*>(inputs[0]) + begin;
    for (std::size_t i = 0; i < n; ++i) sums[i] = F::read(first[i]);
    for (std::size_t r = 1; r < inputs.size(); ++r) {
      const auto* next = reinterpret_cast<const Stored*>(inputs[r]) + begin;
      for (std::size_t i = 0; i < n; ++i) sums[i] = combine(sums[i], F::read(next[i]));
    }
    if (factor != 1) {
      for (std::size_t i = 0; i < n; ++i) sums[i] *= factor;
    }
    for (std::size_t i = 0; i < n; ++i) results[begin + i] = F::write(sums[i]);
  }
}

template <class F>
void reduce_of(Reduction reduction, const std::vector<const std::byte*>& inputs, std::byte* out,
               std::size_t count) {
  using C = typename F::Computed;
  C factor = 1;
  if constexpr (std::is_floating_point_v<C>) {
    if (reduction == Reduction::average) factor = C{1} / static_cast<C>(inputs.size());
  }
  switch (reduction) {
    case Reduction::sum:
    case Reduction::average:
      return reduce_as<F>(inputs, out, count, factor,
                          [](C a, C b) { return static_cast<C>(a + b); });
    case Reduction::maximum:  // a != a: a NaN stays
      return reduce_as<F>(inputs, out, count, 1, [](C a, C b) { return a > b || a != a ? a : b; });
    case Reduction::minimum:
      return reduce_as<F>(inputs, out, count, 1, [](C a, C b) { return a < b || a != a ? a : b; });
  }
}

}  // namespace

std::size_t bytes_of(Element element) {
  switch (element) {
    case Element::float64:
    case Element::int64:
      return 8;
    case Element::float32:
    case Element::int32:
      return 4;
    case Element::float16:
    case Element::bfloat16:
      return 2;
    case Element::uint8:
      break;
  }
  return 1;
}

std::string name_of(Element element) {
  constexpr std::array kNames{"float32", "float64", "int64",   "int32",
                              "uint8",   "float16", "bfloat16"};
  return kNames.at(static_cast<std::size_t>(element));
}

std::string name_of(Reduction reduction) {
  constexpr std::array kNames{"sum", "average", "maximum", "minimum"};
  return kNames.at(static_cast<std::size_t>(reduction));
}

bool is_floating(Element element) {
  return element != Element::int64 && element != Element::int32 && element != Element::uint8;
}

float from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t rest = bits & 0x7fffu;
  if (rest >= 0x7c00u) {  // infinity, NaN
    return std::bit_cast<float>(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
  }
  // The exponent's bias differs by 112; multiplying also makes subnormal numbers right.
  const float scaled = std::bit_cast<float>(rest << 13) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(scaled));
}

std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u;                       // NaN
  } else if (magnitude >= 0x477ff000u) {  // 65520 and more round to infinity
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: subnormal; adding 1/2 aligns and rounds
    const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<std::uint32_t>(aligned) - 0x3f000000u;
  } else {
    const std::uint32_t odd = (magnitude >> 13) & 1u;
    half = (magnitude - 0x38000000u + 0xfffu + odd) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

float from_bfloat16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

std::uint16_t to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

void reduce(Element element, Reduction reduction, const std::vector<const std::byte*>& inputs,
            std::byte* out, std::size_t count) {
  switch (element) {
    case Element::float32:
      return reduce_of<Plain<float>>(reduction, inputs, out, count);
    case Element::float64:
      return reduce_of<Plain<double>>(reduction, inputs, out, count);
    case Element::int64:
      return reduce_of<Plain<std::int64_t>>(reduction, inputs, out, count);
    case Element::int32:
      return reduce_of<Plain<std::int32_t>>(reduction, inputs, out, count);
    case Element::uint8:
      return reduce_of<Plain<std::uint8_t>>(reduction, inputs, out, count);
    case Element::float16:
      return reduce_of<Half>(reduction, inputs, out, count);
    case Element::bfloat16:
      return reduce_of<Bfloat16>(reduction, inputs, out, count);
  }
}

}  // namespace betatune::distributed
