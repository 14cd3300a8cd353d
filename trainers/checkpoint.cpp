#include "trainers/checkpoint.hpp"

#include <charconv>
#include <optional>

#include "trainers/posix.hpp"
#include "transport/durable_folder.hpp"
#include "transport/object_store.hpp"
#include "transport/sealed_folder.hpp"

namespace betatune {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStudyFile = "study.db";

Error fs_error(const std::string& what, const std::error_code& code) {
  return Error{ErrorKind::unavailable, what + ": " + code.message()};
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
  // The folders above are synced each time only where this attempt has made them.
  BETATUNE_CHECK(move_into_place(from, to, new_folder_ ? study_dir_ : to.parent_path()));
  new_folder_ = false;
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
