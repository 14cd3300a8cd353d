#pragma once
/// Files and folders that only their owner may read: tokens and keys.

#include <filesystem>
#include <string>

#include "searchspaces/result.hpp"

namespace betatune {

/// A folder that nobody else may enter, made (0700, with its parents) if it is not there. Errors:
/// unavailable, invalid_argument (a link, somebody else's, or open to others).
Status make_private_folder(const std::filesystem::path& folder);

/// Replaces the file (0600) as a whole: it is never seen half-written. Errors: unavailable.
Status write_private(const std::filesystem::path& file, const std::string& text);

/// At most 64 KiB of it. Errors: not_found, invalid_argument (open to others: what it holds may be
/// known already, and the message says so).
Result<std::string> read_private(const std::filesystem::path& file);

}  // namespace betatune
