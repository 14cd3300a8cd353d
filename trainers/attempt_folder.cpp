#include "trainers/attempt_folder.hpp"

#include <cerrno>
#include <unistd.h>

namespace betatune {

namespace fs = std::filesystem;

fs::path attempt_folder(const Assign& assign) {
  return fs::path(assign.job.study_dir) / "trials" / std::to_string(assign.trial.n) /
         ("attempt-" + std::to_string(assign.attempt.n));
}

fs::path scratch_folder(const Assign& assign) {
  return attempt_folder(assign) / "scratch";
}

fs::path attempt_log(const Assign& assign, int rank) {
  return attempt_folder(assign) / (rank == 0 ? "log" : "log.rank-" + std::to_string(rank));
}

Status make_scratch(const Assign& assign) {
  const fs::path scratch = scratch_folder(assign);
  std::error_code error;
  const bool created = fs::create_directories(scratch, error);
  if (!error && !created) {
    fs::remove_all(scratch, error);
    if (!error) fs::create_directory(scratch, error);
  }
  if (error) {
    return Error{ErrorKind::unavailable, "create " + scratch.string() + ": " + error.message()};
  }
  return Ok{};
}

bool remove_empty_scratch(const Assign& assign) {
  const fs::path scratch = scratch_folder(assign);
  if (::rmdir(scratch.c_str()) != 0 && errno != ENOENT) return false;
  // rmdir refuses a folder that holds a log or another attempt: just what is wanted.
  if (::rmdir(scratch.parent_path().c_str()) == 0) {
    ::rmdir(scratch.parent_path().parent_path().c_str());
  }
  return true;
}

void remove_scratch(const Assign& assign) {
  std::error_code ignored;
  fs::remove_all(scratch_folder(assign), ignored);
  remove_empty_scratch(assign);
}

}  // namespace betatune
