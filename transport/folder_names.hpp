#pragma once
/// What files a trainer may put into the study's folder, by name.

#include <string>

#include "searchspaces/ids.hpp"

namespace betatune {

/// Whether `folder` is checkpoints/trial-T/attempt-A-step-S of that attempt: the names under which
/// checkpoints are taken.
bool is_checkpoint_of(const std::string& folder, TrialId trial, AttemptId attempt);

/// trials/T/attempt-A: what an attempt leaves behind besides checkpoints, its log for one.
std::string attempt_folder_name(TrialId trial, AttemptId attempt);

/// Whether this is a file's path within a folder: relative, of named parts, none of them `.` or
/// `..`, and nothing in it that a list of files could not hold.
bool is_file_path(const std::string& path);

}  // namespace betatune
