#pragma once
/// Where an attempt keeps its files: study_dir/trials/T/attempt-A with `log` (of rank 0),
/// `log.rank-1` and so on where it has several ranks, and `scratch/`.

#include <filesystem>

#include "trainers/worker_link.hpp"

namespace betatune {

std::filesystem::path attempt_folder(const Assign& assign);
std::filesystem::path scratch_folder(const Assign& assign);
/// The file that holds what a rank of the attempt wrote to stdout and stderr.
std::filesystem::path attempt_log(const Assign& assign, int rank = 0);

/// Makes an empty scratch folder. Errors: unavailable.
Status make_scratch(const Assign& assign);
/// Removes the scratch folder, and the folders above it that are empty now.
void remove_scratch(const Assign& assign);
/// The same, but only what takes no time; false if the scratch folder still holds files.
bool remove_empty_scratch(const Assign& assign);

}  // namespace betatune
