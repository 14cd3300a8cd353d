#pragma once
/// How a trainer knows whether it sees the study's folder, or another one of the same name: each
/// start of the optimizer writes a new random text into `folder-mark` there, and tells it.

#include <filesystem>
#include <string>

#include "searchspaces/result.hpp"

namespace betatune {

/// Writes a new mark and returns it. Errors: unavailable.
Result<std::string> renew_folder_mark(const std::filesystem::path& study_dir);

/// Whether the folder that is seen here under this name has that mark.
bool has_folder_mark(const std::filesystem::path& study_dir, const std::string& mark);

}  // namespace betatune
