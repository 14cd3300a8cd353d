#pragma once
/// What kind of file system a study lies on. SQLite's WAL needs shared memory and POSIX locks that
/// all processes of the study see alike; network file systems do not give them, and lose studies.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace betatune {

/// The name of the network file system that statfs's `f_type` or mountinfo's type stands for, or
/// nothing for a local one. FUSE is judged by its subtype: "fuse.sshfs" is a network, "fuseblk" and
/// "fuse.fuse-overlayfs" (rootless containers) are not.
std::optional<std::string> network_file_system(unsigned long magic, std::string_view mount_type);

/// The same for the file system that holds `path`; nothing if that cannot be found out.
std::optional<std::string> network_file_system_of(const std::filesystem::path& path);

}  // namespace betatune
