#pragma once
/// What workers and servers say to each other: frames of a fixed head, a few numbers (`meta`) and
/// the layers' floats behind each other (`values`). Little-endian.
///
///   head      magic u32 | wire version u16 | kind u16 | bytes of meta u32 | number of values u64
///   hello     worker i32 (-1: reads alone) | identity text | layers u32 | size u64 of each
///   welcome   the worker's last push u64
///   pull      -
///   push      sequence u64 | weights wanted u8 | base u64 of each layer; values: the contributions
///   answer    sequence u64 | accepted u8 | version u64 of each layer; values: the centre, or none
///   refusal   text: why the connection ends
///   leave     -

#include <string>

#include "trainers/torch/distributed/asynchronous/bytes.hpp"
#include "trainers/torch/distributed/asynchronous/layers.hpp"

namespace betatune::distributed::asynchronous {

constexpr std::uint32_t kWireMagic = 0x53'50'54'42;  // "BTPS"
constexpr std::uint16_t kWireVersion = 1;
constexpr std::size_t kHeadBytes = 20;
constexpr int kObserver = -1;

enum class FrameKind : std::uint16_t {
  hello = 1,
  welcome = 2,
  pull = 3,
  push = 4,
  answer = 5,
  refusal = 6,
  leave = 7
};

struct FrameHead {
  FrameKind kind = FrameKind::hello;
  std::uint32_t meta_bytes = 0;
  std::uint64_t values = 0;
};

struct FrameLimits {
  std::uint64_t meta_bytes = 0, values = 0;
};

/// errors Garbled if it is not a head, of another wire version, or above the limits
FrameHead read_head(std::span<const std::byte> bytes, const FrameLimits& limits);
/// A frame without its values, which follow it on the wire.
Bytes make_frame(FrameKind kind, const Bytes& meta, std::uint64_t values);

struct Hello {
  int worker = kObserver;
  std::string identity;  ///< of the strategy and n, see Configured
  Sizes sizes;           ///< of the server's layers
};
Bytes write_hello(const Hello& hello);
Hello read_hello(std::span<const std::byte> meta);

}  // namespace betatune::distributed::asynchronous
