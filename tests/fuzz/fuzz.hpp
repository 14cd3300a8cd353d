#pragma once
/// A fuzz target is one function: whatever the bytes, it returns, and aborts where a promise is
/// broken. It is linked to libFuzzer (`./dev fuzz`), or to mutate_main.cpp, which tries the corpus
/// and some thousand changes of it in `./dev test`.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace betatune::fuzz {

void try_input(std::string_view bytes);

/// Ends the program with what is wrong.
[[noreturn]] inline void broken(std::string_view what) {
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

/// The piece before the next `separator`, which is taken off `rest` with it.
inline std::string_view next_piece(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view piece = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return piece;
}

}  // namespace betatune::fuzz

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" [[gnu::used]] inline int LLVMFuzzerTestOneInput(const std::uint8_t* data,
                                                           std::size_t size) {
  betatune::fuzz::try_input({reinterpret_cast<const char*>(data), size});
  return 0;
}
