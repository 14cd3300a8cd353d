#pragma once
/// CURVE keys (ZeroMQ's RFC 26), in Z85: 40 characters for 32 bytes.

#include <string>
#include <string_view>

#include "searchspaces/result.hpp"

namespace betatune {

struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

/// Errors: unsupported (a libzmq without CURVE).
Result<KeyPair> make_key_pair();
/// The 32 bytes of a public key in Z85; empty if there are not 32.
std::string z85_key(std::string_view bytes);
bool is_z85_key(const std::string& text);

}  // namespace betatune
