#pragma once
/// Numbers and arrays as bytes, little-endian, for the journal and the wire. The reader checks
/// every length against what is there: what it is given may come from anywhere.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace betatune::distributed::asynchronous {

static_assert(std::endian::native == std::endian::little, "arrays are written as they lie");

using Bytes = std::vector<std::byte>;

/// What was read is not what a Writer wrote.
class Garbled : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  template <class T>
  requires std::is_arithmetic_v<T> Writer& number(T value) { return raw(&value, sizeof value); }
  Writer& text(const std::string& value) {
    number(static_cast<std::uint32_t>(value.size()));
    return raw(value.data(), value.size());
  }
  Writer& floats(std::span<const float> values) {
    number(static_cast<std::uint64_t>(values.size()));
    return raw(values.data(), values.size_bytes());
  }
  Writer& raw(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    out_.insert(out_.end(), bytes, bytes + size);  // a resize would write all of it twice
    return *this;
  }

 private:
  Bytes& out_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> in) : in_(in) {}

  /// errors Garbled if fewer bytes are left
  template <class T>
  requires std::is_arithmetic_v<T> T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(std::size_t longest = 65'536) {
    const auto size = number<std::uint32_t>();
    if (size > longest) throw Garbled("a text of " + std::to_string(size) + " bytes");
    const auto bytes = take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// errors Garbled unless exactly `out.size()` values were written
  void floats(std::span<float> out) {
    const auto count = number<std::uint64_t>();
    if (count != out.size()) {
      throw Garbled("an array of " + std::to_string(count) + " values instead of " +
                    std::to_string(out.size()));
    }
    const auto bytes = take(out.size_bytes());
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  }
  std::span<const std::byte> take(std::size_t size) {
    if (size > in_.size()) {
      throw Garbled("it ends " + std::to_string(size - in_.size()) + " bytes too early");
    }
    const auto taken = in_.first(size);
    in_ = in_.subspan(size);
    return taken;
  }
  std::size_t left() const { return in_.size(); }

 private:
  std::span<const std::byte> in_;
};

}  // namespace betatune::distributed::asynchronous
