#include "trainers/checkpoint.hpp"

#include <charconv>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <utility>

#include "trainers/posix.hpp"
#include "transport/object_store.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStudyFile = "study.db";

Error fs_error(const std::string& what, const std::error_code& code) {
  return Error{ErrorKind::unavailable, what + ": " + code.message()};
}

Status sync_path(const fs::path& path, int flags) {
  const UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC));
  if (!fd) return errno_error("open " + path.string());
  if (::fsync(fd.get()) != 0) return errno_error("fsync " + path.string());
  return Ok{};
}

/// Makes a tree durable, files first; returns the bytes of its files.
Result<std::uint64_t> sync_tree(const fs::path& root) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator at(root, error), end; !error && at != end;
       at.increment(error)) {
    const fs::file_status status = at->symlink_status(error);
    if (error) break;
    if (fs::is_regular_file(status)) {
      BETATUNE_CHECK(sync_path(at->path(), O_RDONLY));
      bytes += at->file_size(error);
    } else if (fs::is_directory(status)) {
      BETATUNE_CHECK(sync_path(at->path(), O_RDONLY | O_DIRECTORY));
    }
  }
  if (error) return fs_error("read " + root.string(), error);
  BETATUNE_CHECK(sync_path(root, O_RDONLY | O_DIRECTORY));
  return bytes;
}

/// The attempt of a folder named attempt-A-...; nothing for any other name.
std::optional<std::uint64_t> attempt_of(const std::string& name) {
  constexpr std::string_view kPrefix = "attempt-";
  if (name.compare(0, kPrefix.size(), kPrefix) != 0) return std::nullopt;
  std::uint64_t attempt = 0;
  const auto [end, error] =
      std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), attempt);
  if (error != std::errc() || end == name.data() + name.size() || *end != '-') return std::nullopt;
  return attempt;
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path study_dir, TrialId trial, AttemptId attempt)
    : study_dir_(std::move(study_dir)), trial_(trial), attempt_(attempt) {}

fs::path CheckpointFolder::relative(Step step) const {
  return fs::path("checkpoints") / ("trial-" + std::to_string(trial_.n)) /
         ("attempt-" + std::to_string(attempt_.n) + "-step-" + std::to_string(step));
}

fs::path CheckpointFolder::temporary() const {
  return (study_dir_ / relative(0))
      .replace_filename("attempt-" + std::to_string(attempt_.n) + "-next.tmp");
}

Result<fs::path> CheckpointFolder::begin() {
  const fs::path target = temporary();
  std::error_code error;
  new_folder_ = fs::create_directories(target.parent_path(), error);
  if (error) return fs_error("create " + target.parent_path().string(), error);
  for (const auto& entry : fs::directory_iterator(target.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    const auto attempt = attempt_of(name);
    // Unfinished work of attempts that are over. A published folder is the optimizer's to remove:
    // only its log says which of them is still wanted.
    std::error_code ignored;
    if (attempt && *attempt <= attempt_.n && entry.path().extension() == ".tmp") {
      fs::remove_all(entry.path(), ignored);
    }
  }
  fs::create_directory(target, error);
  if (error) return fs_error("create " + target.string(), error);
  return target;
}

Result<ArtifactRef> CheckpointFolder::publish(Step step) {
  const fs::path from = temporary();
  const fs::path to = study_dir_ / relative(step);
  ArtifactRef artifact{relative(step).string(), step, 0};
  BETATUNE_TRY(const Seal seal, seal_folder(from));
  artifact.digest = seal.digest;
  ObjectStore(study_dir_).share(from, seal);
  BETATUNE_TRY(artifact.bytes, sync_tree(from));
  std::error_code error;
  if (fs::exists(to, error)) {
    // The same attempt at the same step has the same state: never without a published one.
    BETATUNE_TRY(const Seal published, read_seal(to));
    artifact.digest = published.digest;
    abandon();
    return artifact;
  }
  fs::rename(from, to, error);
  if (error) return fs_error("rename " + from.string(), error);
  const fs::path folder = to.parent_path();
  BETATUNE_CHECK(sync_path(folder, O_RDONLY | O_DIRECTORY));
  if (std::exchange(new_folder_, false)) {
    BETATUNE_CHECK(sync_path(folder.parent_path(), O_RDONLY | O_DIRECTORY));
    BETATUNE_CHECK(sync_path(study_dir_, O_RDONLY | O_DIRECTORY));
  }
  return artifact;
}

void CheckpointFolder::abandon() {
  std::error_code ignored;
  fs::remove_all(temporary(), ignored);
}

Result<fs::path> checkpoint_path(const fs::path& study_dir, const ArtifactRef& artifact) {
  const fs::path uri(artifact.uri);
  bool inside = !uri.empty() && uri.is_relative();
  for (const fs::path& part : uri) inside = inside && part != "..";
  if (!inside) {
    return Error{ErrorKind::invalid_argument,
                 "checkpoint `" + artifact.uri + "` is not inside the study's folder"};
  }
  std::error_code error;
  fs::path path = study_dir / uri;
  if (!fs::is_directory(path, error)) {
    // The optimizer's own file tells the study's folder from one that a trainer made for itself.
    if (fs::exists(study_dir / kStudyFile, error)) {
      return Error{ErrorKind::corrupt, "checkpoint " + path.string() + " is missing"};
    }
    return Error{ErrorKind::not_found, "checkpoint " + path.string() +
                                           " is missing, and so is the study's " + kStudyFile +
                                           ": is the study's folder shared with this machine?"};
  }
  if (artifact.digest) BETATUNE_CHECK(check_seal(path, *artifact.digest));
  return path;
}

FailureClass class_of_unreadable(const Error& error) {
  // Only damage speaks against the checkpoint: another machine may see what this one does not.
  return error.kind == ErrorKind::corrupt ? FailureClass::checkpoint : FailureClass::infra;
}

}  // namespace betatune
