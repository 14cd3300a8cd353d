#pragma once
/// Digests of contents: BLAKE2b with 256 bits, in hex, as `b2sum -l 256` prints them.

#include <filesystem>
#include <string>
#include <string_view>

#include "searchspaces/result.hpp"

namespace betatune {

inline constexpr std::size_t kDigestCharacters = 64;

std::string digest_of(std::string_view bytes);
/// Errors: not_found, unavailable.
Result<std::string> digest_of_file(const std::filesystem::path& file);
bool is_digest(std::string_view text);

}  // namespace betatune
