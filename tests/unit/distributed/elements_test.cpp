#include "trainers/torch/distributed/elements.hpp"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace betatune::distributed {
namespace {

TEST(Half, IsReadAndWrittenExactlyForEveryNumberOfIt) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_half(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(from_half(to_half(value)))) << bits;
    } else {
      EXPECT_EQ(to_half(value), half) << bits;
    }
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(from_half(to_half(1 + 0x1p-11f)), 1.0f);             // a tie: down to even
  EXPECT_EQ(from_half(to_half(1 + 3 * 0x1p-11f)), 1 + 0x1p-9f);  // a tie: up to even
  EXPECT_EQ(from_half(to_half(1 + 0x1.1p-11f)), 1 + 0x1p-10f);
  EXPECT_EQ(from_half(to_half(65519.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(from_half(to_half(65520.0f))));
  EXPECT_EQ(from_half(to_half(0x1p-25f)), 0.0f);
  EXPECT_EQ(from_half(to_half(0x1.8p-25f)), 0x1p-24f);
  EXPECT_EQ(to_half(-0.0f), 0x8000u);
}

TEST(Bfloat16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(from_bfloat16(to_bfloat16(1 + 0x1p-8f)), 1.0f);
  EXPECT_EQ(from_bfloat16(to_bfloat16(1 + 3 * 0x1p-8f)), 1 + 0x1p-6f);
  EXPECT_TRUE(std::isnan(from_bfloat16(to_bfloat16(std::nanf("")))));
  EXPECT_TRUE(std::isinf(from_bfloat16(to_bfloat16(std::numeric_limits<float>::max()))));
}

template <class T>
std::vector<T> reduced(Element element, Reduction reduction, std::vector<std::vector<T>> inputs) {
  std::vector<const std::byte*> at;
  for (const auto& input : inputs) at.push_back(reinterpret_cast<const std::byte*>(input.data()));
  std::vector<T> out(inputs[0].size());
  reduce(element, reduction, at, reinterpret_cast<std::byte*>(out.data()), out.size());
  return out;
}

TEST(Reduce, AddsFromTheFirstInputToTheLast) {
  // (1e8 + -1e8) + 1 is 1 in float; 1 + 1e8 first would lose it.
  const std::vector<std::vector<float>> inputs{{1e8f}, {-1e8f}, {1.0f}};
  EXPECT_EQ(reduced(Element::float32, Reduction::sum, inputs)[0], 1.0f);
  const std::vector<std::vector<float>> turned{{1.0f}, {1e8f}, {-1e8f}};
  EXPECT_EQ(reduced(Element::float32, Reduction::sum, turned)[0], 0.0f);
}

TEST(Reduce, DoesEveryElementOfLongInputs) {
  std::vector<std::int64_t> a(5000), b(5000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<std::int64_t>(i);
    b[i] = static_cast<std::int64_t>(3 * i) - 9000;
  }
  const auto sum = reduced(Element::int64, Reduction::sum, std::vector{a, b});
  const auto most = reduced(Element::int64, Reduction::maximum, std::vector{a, b});
  const auto least = reduced(Element::int64, Reduction::minimum, std::vector{a, b});
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(sum[i], a[i] + b[i]);
    ASSERT_EQ(most[i], std::max(a[i], b[i]));
    ASSERT_EQ(least[i], std::min(a[i], b[i]));
  }
}

TEST(Reduce, KeepsNanInMaximumAndMinimum) {
  const float nan = std::nanf("");
  for (const auto reduction : {Reduction::maximum, Reduction::minimum}) {
    const auto out = reduced(Element::float32, reduction,
                             std::vector<std::vector<float>>{{nan, 1, 2}, {1, nan, 3}});
    EXPECT_TRUE(std::isnan(out[0]));
    EXPECT_TRUE(std::isnan(out[1]));
    EXPECT_FALSE(std::isnan(out[2]));
  }
}

TEST(Reduce, SumsHalvesInFloatAndRoundsOnce) {
  // 2048 + 1 is 2048 in half; 2048 + 1 + 1 is 2050.
  const std::vector<std::vector<std::uint16_t>> inputs{{to_half(2048)}, {to_half(1)}, {to_half(1)}};
  EXPECT_EQ(from_half(reduced(Element::float16, Reduction::sum, inputs)[0]), 2050.0f);
  EXPECT_EQ(from_half(reduced(Element::float16, Reduction::average, inputs)[0]),
            from_half(to_half(2050.0f / 3)));
}

}  // namespace
}  // namespace betatune::distributed
