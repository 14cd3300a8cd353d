/// decode(encode(message)) is message, for messages drawn from the field lists themselves; and no
/// damage to an encoded message makes decoding crash.

#include <cmath>
#include <gtest/gtest.h>

#include "searchspaces/random.hpp"
#include "tests/support/for_all.hpp"
#include "transport/codec.hpp"

namespace betatune {
namespace {

template <class T>
T draw(Stream& stream);

std::string draw_text(Stream& stream) {
  static const std::vector<std::string> kPieces = {"a", "Z",  "\"", "\\", "\n", "\t", "\x01",
                                                   "é", "漢", "{",  "}",  "🎵",  " ",  "NaN"};
  std::string text;
  for (std::uint64_t n = stream.below(6); n > 0; --n) text += kPieces[stream.below(kPieces.size())];
  return text;
}

double draw_number(Stream& stream) {
  switch (stream.below(4)) {
    case 0:
      return stream.normal();
    case 1:
      return std::ldexp(stream.normal(), static_cast<int>(stream.below(1'800)) - 900);
    case 2:
      return static_cast<double>(stream.below(10));
    default:
      return -0.0;
  }
}

Value draw_value(Stream& stream) {
  switch (stream.below(4)) {
    case 0:
      return stream.below(2) == 0;
    case 1:
      return static_cast<std::int64_t>(stream.bits());
    case 2:
      return stream.normal();
    default:
      return draw_text(stream);
  }
}

template <class T>
T draw(Stream& stream) {
  using namespace schema_detail;
  if constexpr (Described<T>) {
    T value{};
    std::apply(
        [&](const auto&... field) {
          ((value.*field.at = draw<typename std::decay_t<decltype(field)>::member_type>(stream)),
           ...);
        },
        T::fields());
    return value;
  } else if constexpr (NamedEnum<T>) {
    const auto names = enum_names(T{});
    return names[stream.below(names.size())].value;
  } else if constexpr (IsId<T>::value) {
    return T{stream.bits()};
  } else if constexpr (std::is_same_v<T, Configuration>) {
    Configuration configuration;
    for (std::uint64_t n = stream.below(5); n > 0; --n) {
      configuration[draw_text(stream)] = draw_value(stream);
    }
    return configuration;
  } else if constexpr (std::is_same_v<T, Json>) {
    return Json{{"deep", {1, 2.5, nullptr, {{"text", draw_text(stream)}}}}};
  } else if constexpr (std::is_same_v<T, std::string>) {
    return draw_text(stream);
  } else if constexpr (std::is_same_v<T, bool>) {
    return stream.below(2) == 0;
  } else if constexpr (std::is_floating_point_v<T>) {
    return draw_number(stream);
  } else if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(stream.bits());
  } else if constexpr (IsOptional<T>::value) {
    if (stream.below(2) == 0) return std::nullopt;
    return draw<typename T::value_type>(stream);
  } else if constexpr (IsVector<T>::value) {
    T value;
    for (std::uint64_t n = stream.below(4); n > 0; --n) {
      value.push_back(draw<typename T::value_type>(stream));
    }
    return value;
  } else {
    T value;
    for (std::uint64_t n = stream.below(4); n > 0; --n) {
      value[draw_text(stream)] = draw<typename T::mapped_type>(stream);
    }
    return value;
  }
}

template <std::size_t I = 0>
Message draw_message(Stream& stream, std::size_t verb) {
  if constexpr (I + 1 < std::variant_size_v<Message>) {
    if (verb != I) return draw_message<I + 1>(stream, verb);
  }
  return draw<std::variant_alternative_t<I, Message>>(stream);
}

TEST(CodecProperty, DecodeOfEncodeIsTheMessage) {
  for (std::uint64_t seed = 0; seed < 3'000; ++seed) {
    Stream stream(root_key(seed));
    const Message message = draw_message(stream, stream.below(std::variant_size_v<Message>));

    const Result<Message> back = decode_message(encode_message(message));

    ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().message;
    EXPECT_EQ(back.value().index(), message.index()) << "seed " << seed;
    const auto json = [](const Message& each) {
      return std::visit([](const auto& known) { return encode_json(known); }, each);
    };
    EXPECT_EQ(json(back.value()), json(message)) << "seed " << seed;
  }
}

TEST(CodecProperty, DamagedMessagesAreAcceptedOrRefusedButNeverCrash) {
  const std::uint64_t cases = test::number_from_environment("BETATUNE_CASES", 5'000);
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    Stream stream(root_key(1'000'000 + seed));
    Frames frames =
        encode_message(draw_message(stream, stream.below(std::variant_size_v<Message>)));
    for (std::uint64_t n = 1 + stream.below(4); n > 0; --n) {
      std::string& frame = frames[stream.below(frames.size())];
      if (frame.empty()) continue;
      const std::size_t at = stream.below(frame.size());
      if (stream.below(3) == 0) {
        frame.resize(at);
      } else {
        frame[at] = static_cast<char>(stream.bits());
      }
    }

    const Result<Message> result = decode_message(frames);

    if (result) continue;
    ++refused;
    const std::string& text = result.error().message;
    EXPECT_TRUE(text.starts_with("malformed: ") || text.starts_with("unknown_verb: ")) << text;
  }
  EXPECT_GT(refused, cases / 2);
}

}  // namespace
}  // namespace betatune
