#include "trainers/torch/distributed/asynchronous/wire.hpp"

namespace betatune::distributed::asynchronous {

FrameHead read_head(std::span<const std::byte> bytes, const FrameLimits& limits) {
  Reader in(bytes);
  if (in.number<std::uint32_t>() != kWireMagic) throw Garbled("it is not Betatune's protocol");
  const auto version = in.number<std::uint16_t>();
  if (version != kWireVersion) {
    throw Garbled("wire version " + std::to_string(version) + " instead of " +
                  std::to_string(kWireVersion) + "; run the same build on every rank");
  }
  const auto kind = in.number<std::uint16_t>();
  FrameHead head;
  head.meta_bytes = in.number<std::uint32_t>();
  head.values = in.number<std::uint64_t>();
  if (kind < 1 || kind > 7) throw Garbled("a frame of kind " + std::to_string(kind));
  head.kind = static_cast<FrameKind>(kind);
  if (head.meta_bytes > limits.meta_bytes || head.values > limits.values) {
    throw Garbled("a frame of " + std::to_string(head.meta_bytes) + " bytes and " +
                  std::to_string(head.values) + " values; at most " +
                  std::to_string(limits.meta_bytes) + " and " + std::to_string(limits.values) +
                  " are taken");
  }
  return head;
}

Bytes make_frame(FrameKind kind, const Bytes& meta, std::uint64_t values) {
  Bytes frame;
  frame.reserve(kHeadBytes + meta.size());
  Writer(frame)
      .number(kWireMagic)
      .number(kWireVersion)
      .number(static_cast<std::uint16_t>(kind))
      .number(static_cast<std::uint32_t>(meta.size()))
      .number(values)
      .raw(meta.data(), meta.size());
  return frame;
}

Bytes write_hello(const Hello& hello) {
  Bytes meta;
  Writer out(meta);
  out.number(static_cast<std::int32_t>(hello.worker)).text(hello.identity);
  out.number(static_cast<std::uint32_t>(hello.sizes.size()));
  for (const auto size : hello.sizes) out.number(static_cast<std::uint64_t>(size));
  return make_frame(FrameKind::hello, meta, 0);
}

Hello read_hello(std::span<const std::byte> meta) {
  Reader in(meta);
  Hello hello;
  hello.worker = in.number<std::int32_t>();
  hello.identity = in.text();
  const auto layers = in.number<std::uint32_t>();
  if (layers * sizeof(std::uint64_t) != in.left()) throw Garbled("a hello of the wrong length");
  for (std::uint32_t k = 0; k < layers; ++k) {
    hello.sizes.push_back(static_cast<std::size_t>(in.number<std::uint64_t>()));
  }
  return hello;
}

}  // namespace betatune::distributed::asynchronous
