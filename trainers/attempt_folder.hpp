#pragma once
/// Where an attempt keeps its files: study_dir/trials/T/attempt-A with `log` and `scratch/`.

#include <filesystem>

#include "trainers/worker_link.hpp"

namespace betatune {

std::filesystem::path attempt_folder(const Assign& assign);
std::filesystem::path scratch_folder(const Assign& assign);
/// The file that holds what the attempt wrote to stdout and stderr.
std::filesystem::path attempt_log(const Assign& assign);

/// Makes an empty scratch folder. Errors: unavailable.
Status make_scratch(const Assign& assign);
/// Removes the scratch folder, and the folders above it that are empty now.
void remove_scratch(const Assign& assign);
/// The same, but only what takes no time; false if the scratch folder still holds files.
bool remove_empty_scratch(const Assign& assign);

}  // namespace betatune
