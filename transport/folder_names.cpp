#include "transport/folder_names.hpp"

#include <algorithm>
#include <climits>
#include <fmt/format.h>
#include <string_view>

#include "searchspaces/limits.hpp"

namespace betatune {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 20 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_checkpoint_of(const std::string& folder, TrialId trial, AttemptId attempt) {
  const std::string begin =
      fmt::format("checkpoints/trial-{}/attempt-{}-step-", trial.n, attempt.n);
  return folder.starts_with(begin) && is_number(std::string_view(folder).substr(begin.size()));
}

std::string attempt_folder_name(TrialId trial, AttemptId attempt) {
  return fmt::format("trials/{}/attempt-{}", trial.n, attempt.n);
}

bool is_file_path(const std::string& path) {
  if (path.empty() || path.size() > limits::kFilePathBytes) return false;
  if (path.find_first_of(std::string_view("\0\n\r\\", 4)) != std::string::npos) return false;
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view part = std::string_view(path).substr(from, slash - from);
    const bool named = !part.empty() && part != "." && part != "..";
    if (!named || part.size() > NAME_MAX) return false;
    from = slash + 1;
  }
  return true;
}

}  // namespace betatune
