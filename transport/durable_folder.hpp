#pragma once
/// Folders that survive a loss of power.

#include <filesystem>

#include "searchspaces/result.hpp"

namespace betatune {

/// The entries of a folder, not what is in them. Errors: unavailable.
Status sync_folder(const std::filesystem::path& folder);

/// Everything below `root`, files first; returns the bytes of its files. Errors: unavailable.
Result<std::uint64_t> sync_tree(const std::filesystem::path& root);

/// Gives a folder that is durable itself its place below `root`, durably; the folders on the way
/// are made. `to` must not be there. Errors: unavailable.
Status move_into_place(const std::filesystem::path& from, const std::filesystem::path& to,
                       const std::filesystem::path& root);

}  // namespace betatune
