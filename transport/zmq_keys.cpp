#include "transport/zmq_keys.hpp"

#include <array>
#include <cstdint>
#include <zmq.h>

namespace betatune {
namespace {

constexpr std::size_t kKeyBytes = 32, kKeyText = 40;

}  // namespace

Result<KeyPair> make_key_pair() {
  std::array<char, kKeyText + 1> public_key{}, secret_key{};
  if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
    return Error{ErrorKind::unsupported,
                 "this libzmq was built without CURVE: install one that has it"};
  }
  return KeyPair{public_key.data(), secret_key.data()};
}

std::string z85_key(std::string_view bytes) {
  if (bytes.size() != kKeyBytes) return {};
  std::array<char, kKeyText + 1> text{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return text.data();
}

bool is_z85_key(const std::string& text) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  return text.size() == kKeyText && zmq_z85_decode(bytes.data(), text.c_str()) != nullptr;
}

}  // namespace betatune
