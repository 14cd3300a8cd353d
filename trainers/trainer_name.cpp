#include "trainers/trainer_name.hpp"

#include <array>
#include <sys/random.h>
#include <unistd.h>

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

std::string name_with_key(const std::string& key, const std::string& name) {
  // Those that the optimizer starts itself have their names from it.
  if (name == key || name.starts_with(key + "/") || key == "local") return name;
  return key + "/" + name;
}

std::string trainer_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"host"};
  return std::string(host.data()) + "-" + std::to_string(::getpid()) + "-" +
         random_hex().substr(0, 4);
}

}  // namespace betatune
