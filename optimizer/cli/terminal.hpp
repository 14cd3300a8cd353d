#pragma once
/// What the terminal at the other end can show.

namespace betatune {

/// NO_COLOR and TERM=dumb forbid colours, CLICOLOR_FORCE forces them, else a terminal has them.
bool wants_color(int descriptor);

}  // namespace betatune
