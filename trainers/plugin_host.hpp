#pragma once
/// Finds, loads and checks trainer plug-ins. The only file that calls dlopen.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "searchspaces/result.hpp"
#include "trainers/plugin.h"

namespace betatune {

/// Folders that a plug-in's name is looked up in, in order: BETATUNE_PLUGIN_PATH, then where this
/// program's own plug-ins are (a build's plugins/, an installation's lib/betatune/plugins).
std::vector<std::filesystem::path> plugin_folders();

/// Why a file or folder of plug-ins is not to be trusted: users other than this one and root can
/// change it. Empty if they cannot.
std::string open_to_others(const std::filesystem::path& path);

/// `plugin` is a name ("branin") or a path that ends in .so, relative to `directory`. By its name
/// it is taken only where nobody else could have put it. Errors: not_found, saying where it was
/// looked for; invalid_argument (not a name; others can change it).
Result<std::filesystem::path> find_plugin(const std::string& plugin,
                                          const std::filesystem::path& directory);

/// Every *.so of plugin_folders(), first found first, by name.
std::vector<std::filesystem::path> all_plugins();

/// A loaded plug-in; never unloaded, since libraries such as libtorch do not survive it.
/// Errors: invalid_argument (not a plug-in, another ABI, incomplete), unavailable (dlopen's words).
Result<const betatune_plugin*> load_plugin(const std::filesystem::path& path);

/// What the table of a trainer lacks; empty if it is complete.
std::string missing_functions(const betatune_trainer* trainer);

}  // namespace betatune
