#include "transport/object_store.hpp"

#include <system_error>

#include "transport/digest.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

/// Smaller files cost more to share than they take.
constexpr std::uintmax_t kWorthSharing = 64u << 10;
constexpr std::size_t kPrefix = 2;  // characters of a digest that name its folder

}  // namespace

ObjectStore::ObjectStore(const fs::path& study_dir) : root_(study_dir / "objects") {}

fs::path ObjectStore::path_of(const std::string& digest) const {
  return root_ / digest.substr(0, kPrefix) / digest.substr(kPrefix);
}

void ObjectStore::share(const fs::path& folder, const Seal& seal) const {
  for (const SealedFile& each : seal.files) {
    const fs::path file = folder / each.path;
    std::error_code failed;
    const bool plain = fs::is_regular_file(fs::symlink_status(file, failed));
    if (!plain || failed || fs::file_size(file, failed) < kWorthSharing || failed) continue;
    share_file(file, each.digest);
  }
}

void ObjectStore::share_file(const fs::path& file, const std::string& digest) const {
  const fs::path object = path_of(digest);
  std::error_code failed;
  fs::create_directories(object.parent_path(), failed);
  fs::create_hard_link(file, object, failed);
  if (!failed || failed != std::errc::file_exists) return;
  const fs::path beside = file.string() + ".link";
  const auto recorded = digest_of_file(object);
  if (!recorded) return;
  if (recorded.value() != digest) {
    // A name that lies would spread the damage: the object becomes what we hold.
    fs::create_hard_link(file, beside, failed);
    if (!failed) fs::rename(beside, object, failed);
    return;
  }
  fs::create_hard_link(object, beside, failed);
  if (!failed) fs::rename(beside, file, failed);
  // Two names of one file: rename() then does nothing, and leaves both.
  std::error_code gone;
  fs::remove(beside, gone);
}

bool ObjectStore::link(const std::string& digest, const fs::path& file) const {
  const fs::path object = path_of(digest);
  std::error_code failed;
  if (!fs::is_regular_file(fs::symlink_status(object, failed))) return false;
  const auto recorded = digest_of_file(object);
  if (!recorded || recorded.value() != digest) return false;
  fs::create_hard_link(object, file, failed);
  return !failed;
}

void ObjectStore::remove_unused(const fs::path& object) {
  std::error_code failed;
  if (fs::hard_link_count(object, failed) != 1 || failed) return;
  // Whoever links to it in this moment holds the file itself; only the name goes.
  fs::remove(object, failed);
}

Status ObjectStore::release(const fs::path& folder) const {
  const auto seal = read_seal(folder);
  std::error_code failed;
  fs::remove_all(folder, failed);
  if (failed) return Error{ErrorKind::unavailable, folder.string() + ": " + failed.message()};
  if (!seal) return Ok{};  // of a trainer that does not seal, or damaged: collect() finds the rest
  for (const SealedFile& each : seal.value().files) remove_unused(path_of(each.digest));
  return Ok{};
}

void ObjectStore::collect() const {
  std::error_code failed;
  for (fs::recursive_directory_iterator at(root_, failed), end; !failed && at != end;
       at.increment(failed)) {
    std::error_code not_this;
    if (fs::is_regular_file(at->symlink_status(not_this))) remove_unused(at->path());
  }
}

}  // namespace betatune
