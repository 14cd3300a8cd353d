#include "optimizer/cli/terminal.hpp"

#include <cstdlib>
#include <string_view>
#include <unistd.h>

namespace betatune {
namespace {

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view{} : value;
}

}  // namespace

bool wants_color(int descriptor) {
  if (!variable("NO_COLOR").empty()) return false;
  const std::string_view force = variable("CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return variable("TERM") != "dumb" && ::isatty(descriptor) == 1;
}

}  // namespace betatune
