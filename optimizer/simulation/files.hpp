#pragma once
/// The study's folder of a simulation whose checkpoints have contents: on the disk, as the real
/// FolderExchange keeps it, without fsync. Beside it, what each checkpoint should hold, as its
/// trainer made it: what is found anywhere is compared with that.

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "searchspaces/outcome.hpp"
#include "searchspaces/random.hpp"

namespace betatune::simulation {

/// Path within the folder -> bytes; its list is one of them.
using Contents = std::map<std::string, std::string>;

class StudyFiles {
 public:
  /// A temporary folder, which goes with this. Errors: unavailable, as an assertion.
  explicit StudyFiles(Key key);
  ~StudyFiles();
  StudyFiles(const StudyFiles&) = delete;
  StudyFiles& operator=(const StudyFiles&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  /// What the trainer of this checkpoint has in it: drawn when first asked for.
  const Contents& make(ArtifactRef& artifact);
  /// Puts it into its place, as a trainer that sees the folder does.
  void write(const std::string& uri) const;
  std::optional<Contents> read(const std::string& uri) const;
  /// Changes a byte of a checkpoint that is there.
  void damage(const std::string& uri, Stream& random);
  bool is_damaged(const std::string& uri) const { return damaged_.contains(uri); }
  /// Whether these are the bytes that its trainer made.
  bool is_made(const std::string& uri, const Contents& found) const;
  /// What is wrong with the folder of a checkpoint; nothing if it is what was made, byte for byte.
  std::optional<std::string> difference(const std::string& uri) const;
  /// What has arrived of folders that are not complete.
  bool has_incoming() const;

 private:
  Stream random_;
  std::filesystem::path folder_;
  std::map<std::string, Contents> made_;
  std::set<std::string> damaged_;
};

/// The files in the order in which they travel: the list last.
std::vector<std::pair<std::string, std::string>> in_order(const Contents& contents);
/// Whether every file is there with the digest that the list says, and the list has this one.
bool is_whole(const Contents& contents, const std::string& digest);

}  // namespace betatune::simulation
