#pragma once
/// Equal files of a study's checkpoints are kept once: `objects/XX/YYYY...`, named by their digest,
/// and every checkpoint has a hard link to what it holds.
///
/// The links are the reference counts: the file system keeps them, so that no crash can make them
/// wrong. A checkpoint holds its contents itself, whatever becomes of `objects`: removing there can
/// cost a later saving, never a file. On file systems without hard links nothing is shared, and all
/// else is the same.

#include <filesystem>

#include "transport/sealed_folder.hpp"

namespace betatune {

class ObjectStore {
 public:
  explicit ObjectStore(const std::filesystem::path& study_dir);

  /// Makes every file of a sealed folder that is large enough to matter one with the object of its
  /// content. An object that is damaged is replaced. The folder's files stay as they are where
  /// sharing fails.
  void share(const std::filesystem::path& folder, const Seal& seal) const;

  /// Makes `file` a link to the object of this content, if there is one and it is not damaged.
  bool link(const std::string& digest, const std::filesystem::path& file) const;

  /// Removes a folder, and the objects that no other folder links to. Errors: unavailable.
  Status release(const std::filesystem::path& folder) const;

  /// Removes all objects that no folder links to: what kills left behind.
  void collect() const;

 private:
  std::filesystem::path path_of(const std::string& digest) const;
  void share_file(const std::filesystem::path& file, const std::string& digest) const;
  static void remove_unused(const std::filesystem::path& object);

  std::filesystem::path root_;
};

}  // namespace betatune
