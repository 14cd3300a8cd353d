#pragma once
/// `betatune-trainer plugin list` and `plugin check`.

#include <string>

namespace betatune {

/// Prints the plug-ins that a name would find, each loaded and checked in a process of its own.
int plugin_list(bool json);

/// Loads, checks and creates a trainer of `plugin` (name or path). 0 if it can be used, else 1,
/// with the reason on stderr (or in the JSON).
int plugin_check(const std::string& plugin, bool json);

}  // namespace betatune
