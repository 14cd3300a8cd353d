#include "trainers/trainer_name.hpp"

#include <array>
#include <unistd.h>

#include "transport/random_hex.hpp"

namespace betatune {

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
