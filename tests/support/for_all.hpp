#pragma once
/// Property tests on our own streams: a claim is tried on many generated cases, and the first that
/// breaks it is named by a number that generates it again.
///
///   for_all(root_key(1), random_space, [](const SearchSpace& space, Key key) { EXPECT_... });
///
/// BETATUNE_CASE=17 runs case 17 alone; BETATUNE_CASES=100000 runs more than the default.

#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>
#include <type_traits>

#include "searchspaces/random.hpp"

namespace betatune::test {

inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// `generate` is called with a Stream&, `claim` with what it made and, if it takes two arguments,
/// a Key for further draws.
template <class Generate, class Claim>
void for_all(Key key, Generate generate, Claim claim, std::uint64_t cases = 200) {
  constexpr std::uint64_t kEvery = ~std::uint64_t{0};
  const std::uint64_t only = number_from_environment("BETATUNE_CASE", kEvery);
  const std::uint64_t first = only == kEvery ? 0 : only;
  const std::uint64_t last =
      only == kEvery ? number_from_environment("BETATUNE_CASES", cases) : only + 1;
  for (std::uint64_t n = first; n < last; ++n) {
    const Key case_key = fold_in(key, n);
    SCOPED_TRACE("replay this case alone with BETATUNE_CASE=" + std::to_string(n));
    Stream stream(fold_in(case_key, "generate"));
    const auto made = generate(stream);
    if constexpr (std::is_invocable_v<Claim, decltype(made), Key>) {
      claim(made, fold_in(case_key, "claim"));
    } else {
      claim(made);
    }
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace betatune::test
