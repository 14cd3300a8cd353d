#pragma once
/// Digests of contents: BLAKE2b with 256 bits, in hex, as `b2sum -l 256` prints them.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "searchspaces/result.hpp"

namespace betatune {

inline constexpr std::size_t kDigestCharacters = 64;

/// The digest of bytes that come part by part, so that nothing has to be read again at their end.
class Digester {
 public:
  Digester();
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;
  ~Digester();

  void add(std::string_view bytes);
  /// Of all that was added. To be called once, at the end.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string digest_of(std::string_view bytes);
/// Errors: not_found, unavailable.
Result<std::string> digest_of_file(const std::filesystem::path& file);
bool is_digest(std::string_view text);

}  // namespace betatune
