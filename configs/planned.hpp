#pragma once
/// Keys that the study-file format reserves for later versions. They are errors that say so,
/// because a key that is accepted and ignored is worse than an unknown one.

#include <span>
#include <string_view>

namespace betatune {

struct PlannedKey {
  std::string_view path;  ///< of the key, `*` for any one name: "parameters.*.prior"
  std::string_view what;  ///< what it will be
  std::string_view help;  ///< what to do now
};

std::span<const PlannedKey> planned_keys();

/// The entry for `key` in the mapping at `path`, or nullptr.
const PlannedKey* find_planned(std::string_view path, std::string_view key);

}  // namespace betatune
