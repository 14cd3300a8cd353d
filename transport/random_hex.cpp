#include "transport/random_hex.hpp"

#include <array>
#include <sys/random.h>

#include "searchspaces/result.hpp"

namespace betatune {

std::string random_hex() {
  std::array<unsigned char, 16> bytes{};
  // Up to 256 bytes come whole once the kernel's pool is ready, for which it waits.
  BETATUNE_ASSERT(::getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += kDigits[byte >> 4u];
    hex += kDigits[byte & 15u];
  }
  return hex;
}

}  // namespace betatune
