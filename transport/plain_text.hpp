#pragma once
/// Text that others have written, before a terminal shows it: control characters in it could write
/// over what stands there, or make the terminal do things.

#include <string>
#include <string_view>

namespace betatune {

/// Whether there is one of Unicode's control characters (C0, DEL, C1), line feed and tab included.
/// The text need not be UTF-8.
bool has_control_characters(std::string_view text);

/// Each of them but line feed and tab as `?`.
std::string plain_text(std::string_view text);

}  // namespace betatune
