#include "optimizer/cli/terminal.hpp"

#include <cstdlib>
#include <string_view>
#include <sys/ioctl.h>
#include <unistd.h>

namespace betatune {
namespace {

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string_view{} : value;
}

std::size_t number_or(const char* name, std::size_t otherwise) {
  const char* const value = std::getenv(name);
  const int number = value == nullptr ? 0 : std::atoi(value);
  return number > 0 ? static_cast<std::size_t>(number) : otherwise;
}

}  // namespace

bool can_redraw(int descriptor) {
  const std::string_view terminal = variable("TERM");
  return ::isatty(descriptor) == 1 && !terminal.empty() && terminal != "dumb";
}

TerminalSize terminal_size(int descriptor) {
  TerminalSize size;
  winsize window{};
  if (::ioctl(descriptor, TIOCGWINSZ, &window) == 0) {
    if (window.ws_col > 0) size.columns = window.ws_col;
    if (window.ws_row > 0) size.rows = window.ws_row;
  }
  return {number_or("COLUMNS", size.columns), number_or("LINES", size.rows)};
}

bool wants_color(int descriptor) {
  if (!variable("NO_COLOR").empty()) return false;
  const std::string_view force = variable("CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return variable("TERM") != "dumb" && ::isatty(descriptor) == 1;
}

}  // namespace betatune
