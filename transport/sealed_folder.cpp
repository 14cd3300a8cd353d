#include "transport/sealed_folder.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "transport/digest.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBetween = "  ";  // b2sum's mark of a file read as it is

std::string list_text(const std::vector<SealedFile>& files) {
  std::string text;
  for (const SealedFile& each : files) {
    text += each.digest;
    text += kBetween;
    text += each.path;
    text += '\n';
  }
  return text;
}

Error fs_error(const fs::path& path, const std::error_code& code) {
  return Error{ErrorKind::unavailable, path.string() + ": " + code.message()};
}

Error damaged(const fs::path& folder, const std::string& what) {
  return Error{ErrorKind::corrupt, "checkpoint " + folder.string() + " is damaged: " + what};
}

/// Relative paths of all files, sorted.
Result<std::vector<std::string>> files_in(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code dangling;
    if (!fs::is_regular_file(at->path(), dangling)) continue;
    std::string path = at->path().lexically_relative(folder).string();
    if (path == kSumsName) continue;
    if (path.find_first_of("\n\r\\") != std::string::npos) {
      return Error{ErrorKind::invalid_argument,
                   "a file name in a checkpoint cannot have a line break or a backslash: " + path};
    }
    found.push_back(std::move(path));
  }
  if (error) return fs_error(folder, error);
  std::ranges::sort(found);
  return found;
}

Result<std::vector<SealedFile>> parse_list(const fs::path& folder, const std::string& text) {
  std::vector<SealedFile> files;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t path_at = kDigestCharacters + kBetween.size();
    if (line.size() <= path_at || line.substr(kDigestCharacters, kBetween.size()) != kBetween ||
        !is_digest(std::string_view(line).substr(0, kDigestCharacters))) {
      return damaged(folder, std::string(kSumsName) + " has a line that is not one of b2sum's");
    }
    const fs::path path = line.substr(path_at);
    if (path.is_absolute() || std::ranges::find(path, "..") != path.end()) {
      return damaged(folder, std::string(kSumsName) + " names a file outside of it");
    }
    files.push_back({path.string(), line.substr(0, kDigestCharacters)});
  }
  return files;
}

}  // namespace

Result<Seal> seal_folder(const fs::path& folder) {
  Seal seal;
  BETATUNE_TRY(const std::vector<std::string> paths, files_in(folder));
  for (const std::string& path : paths) {
    BETATUNE_TRY(std::string digest, digest_of_file(folder / path));
    seal.files.push_back({path, std::move(digest)});
  }
  const std::string text = list_text(seal.files);
  seal.digest = digest_of(text);
  // A list that was copied from another checkpoint may be a link to it: never written through.
  std::error_code ignored;
  fs::remove(folder / kSumsName, ignored);
  std::ofstream file(folder / kSumsName, std::ios::binary);
  file << text;
  file.close();
  if (!file) return Error{ErrorKind::unavailable, "cannot write " + (folder / kSumsName).string()};
  return seal;
}

Result<Seal> read_seal(const fs::path& folder) {
  std::ifstream file(folder / kSumsName, std::ios::binary);
  if (!file) {
    return Error{ErrorKind::not_found, (folder / kSumsName).string() + " is not there"};
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) {
    return Error{ErrorKind::unavailable, "cannot read " + (folder / kSumsName).string()};
  }
  Seal seal;
  seal.digest = digest_of(text);
  BETATUNE_TRY(seal.files, parse_list(folder, text));
  return seal;
}

Status check_seal(const fs::path& folder, const std::string& digest) {
  auto seal = read_seal(folder);
  if (!seal && seal.error().kind == ErrorKind::not_found) {
    return damaged(folder, std::string(kSumsName) + " is missing");
  }
  if (!seal) return seal.error();
  if (seal.value().digest != digest) {
    return damaged(folder, std::string(kSumsName) + " is not the one that was reported");
  }
  for (const SealedFile& each : seal.value().files) {
    auto now = digest_of_file(folder / each.path);
    if (!now && now.error().kind == ErrorKind::not_found) {
      return damaged(folder, each.path + " is missing");
    }
    if (!now) return now.error();
    if (now.value() != each.digest) return damaged(folder, each.path + " has changed");
  }
  return Ok{};
}

}  // namespace betatune
