#pragma once
/// A folder of this process's own for the files of its trials, where it does not see the study's:
/// removed when it ends, and by the next one here if it was killed.

#include <filesystem>
#include <optional>

#include "searchspaces/result.hpp"
#include "trainers/posix.hpp"

namespace betatune {

class OwnFolder {
 public:
  /// A new folder of mode 0700 in `parent` (made if need be; empty: the system's folder for
  /// temporary files). Those that dead processes of this user have left there go. Errors:
  /// unavailable.
  static Result<OwnFolder> make(std::filesystem::path parent);
  OwnFolder(OwnFolder&&) = default;
  OwnFolder& operator=(OwnFolder&&) = delete;
  ~OwnFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  OwnFolder(std::filesystem::path path, UniqueFd lock);

  std::filesystem::path path_;
  UniqueFd lock_;
};

}  // namespace betatune
