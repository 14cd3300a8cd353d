#pragma once
/// What the terminal at the other end can show.

#include <cstddef>

namespace betatune {

/// NO_COLOR and TERM=dumb forbid colours, CLICOLOR_FORCE forces them, else a terminal has them.
bool wants_color(int descriptor);

/// Whether lines can be drawn again in place: it is a terminal that knows how, and not a dumb one.
bool can_redraw(int descriptor);

struct TerminalSize {
  std::size_t columns = 80, rows = 24;
};
/// COLUMNS and LINES win over what the terminal says; 80 by 24 where nobody knows.
TerminalSize terminal_size(int descriptor);

}  // namespace betatune
