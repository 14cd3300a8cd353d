#pragma once
/// A folder of files that can be told from a torn or changed one: its file `B2SUMS` lists every
/// file with its digest, in the form of `b2sum -l 256` (so `b2sum -c B2SUMS` checks it by hand),
/// and the digest of that list stands for the whole folder.

#include <filesystem>
#include <string>
#include <vector>

#include "searchspaces/result.hpp"

namespace betatune {

inline constexpr const char* kSumsName = "B2SUMS";

struct SealedFile {
  std::string path;  ///< relative to the folder
  std::string digest;
  bool operator==(const SealedFile&) const = default;
};

struct Seal {
  std::string digest;             ///< of the list
  std::vector<SealedFile> files;  ///< by path, without the list itself
};

/// Writes the list, over one that is there. Links to files count as what they lead to. Errors:
/// unavailable, invalid_argument (a file name with a line break or a backslash, which a list of
/// this form cannot hold).
Result<Seal> seal_folder(const std::filesystem::path& folder);

/// What the list of a folder says; the files are not looked at. Errors: not_found, corrupt,
/// unavailable.
Result<Seal> read_seal(const std::filesystem::path& folder);

/// Whether the folder is what was sealed with this digest, byte for byte; files that came later are
/// not looked at. Errors: corrupt (naming the first file that is missing or changed), unavailable.
Status check_seal(const std::filesystem::path& folder, const std::string& digest);

}  // namespace betatune
