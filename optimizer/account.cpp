#include "optimizer/account.hpp"

#include <array>
#include <pwd.h>
#include <unistd.h>

namespace betatune {

std::optional<std::string> account_name() {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int failed = getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found);
  if (failed != 0 || found == nullptr || *found->pw_name == '\0') return std::nullopt;
  return std::string(found->pw_name);
}

}  // namespace betatune
